"""Evaluations and time of accelerated EM beside plain EM, on other seeds: ``python -m benchmarks.evaluations [--sets 5]``.

Smaller data of the kinds of the workloads, each from one start. Counted are evaluations of the objective until a run is truly
within 1e-6 nats per row of where it ends itself, after 4000 steps at most: runs from one start may end at different optima.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from benchmarks.workloads import Workload, as_workload, simulated
from em.ascent.acceleration import Acceleration
from em.ascent.climb import climb

# Rows, features, components, spread of the centres.
KINDS = {
    "ii": (20_000, 1, 3, 1.5),
    "iii": (20_000, 2, 5, 2.0),
    "iv": (20_000, 8, 8, 1.5),
    "v": (10_000, 16, 10, 1.0),
}
FIRST_SEED = 200
NEAR = 1e-6
MOST_STEPS = 4000
METHODS: dict[str, Acceleration] = {"plain": None, "auto": "auto", "anderson": "anderson", "squarem": "squarem"}


def cost(workload: Workload, how: Acceleration) -> tuple[int, float, float]:
    """Evaluations and processor time until the run is near its end, and nats per row there."""
    rows = len(workload.mixture.counts)
    trace = np.array(climb(workload.mixture, workload.start, how, MOST_STEPS).trace)
    near = int(np.argmax(trace >= trace[-1] - NEAR * rows))
    began = time.process_time()
    run = climb(workload.mixture, workload.start, how, near)
    return run.evaluations, time.process_time() - began, float(trace[-1]) / rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=5, help="data sets of each kind")
    sets = parser.parse_args().sets
    for kind, (n, d, k, apart) in KINDS.items():
        ratios, times = [], []
        for seed in range(FIRST_SEED, FIRST_SEED + sets):
            workload = as_workload(kind, simulated(n, d, k, apart, seed), k)
            costs = {name: cost(workload, how) for name, how in METHODS.items()}
            evaluations, seconds, ends = np.array(list(costs.values())).T
            ratios.append(evaluations / evaluations[0])
            times.append(seconds / seconds[0])
            told = (f"{name} {n:.0f} to {end:.6f}" for name, n, end in zip(METHODS, evaluations, ends, strict=True))
            print(f"{kind}, seed {seed}: {'; '.join(told)}", flush=True)
        for what, those in (("evaluations", ratios), ("time", times)):
            means, most = np.exp(np.log(those).mean(axis=0)), np.max(those, axis=0)
            told = (
                f"{name} {mean:.2f}, at most {worst:.2f}"
                for name, mean, worst in zip(METHODS, means, most, strict=True)
            )
            print(f"{kind}, times the {what} of plain EM (geometric mean): {'; '.join(told)}", flush=True)


if __name__ == "__main__":
    main()
