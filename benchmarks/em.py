"""Speed of EM beside scikit-learn on the same data from the same start: ``python -m benchmarks.em``.

    python -m benchmarks.em [--workload iii ...] [--alternations 5] [--peers scikit-learn] [--json FILE]

Times are of the processor, one BLAS thread; each row alternates between the contestants and keeps medians, so that what
else the machine does falls on all alike. Only the ratios are to be trusted. "To target" is until the log-likelihood is
within 1e-6 nats per row of the optimum: for the peer, whose step is the same, the number of plain steps that takes times
its time for a step.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import json
import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

import em
from benchmarks.workloads import WORKLOADS, Workload, coins
from em.climb import Climb, climb

# Nats per row from the optimum at which a run has arrived.
TARGET = 1e-6
# Steps after which a plain and an accelerated run are ended.
MOST_STEPS, FAST_STEPS = 2500, 400


@dataclass(frozen=True)
class Row:
    """One line of the table; milliseconds, and how many times faster than the peer."""

    workload: str
    rows: int
    step: float
    peer_step: float
    step_ratio: float
    plain_steps: int | None
    evaluations: int | None
    to_target_ratio: float | None


def seconds(run: Callable[[], Any]) -> float:
    began = time.process_time()
    run()
    return time.process_time() - began


def peer_step(workload: Workload) -> Callable[[], Any]:
    """One EM iteration of scikit-learn from the workload's start."""
    from sklearn.mixture import GaussianMixture
    from sklearn.mixture._gaussian_mixture import _compute_precision_cholesky

    kind = {"full": "full", "diagonal": "diag"}[workload.covariance]
    start, y = workload.start, np.asarray(workload.mixture.points)
    model = GaussianMixture(workload.k, covariance_type=kind, reg_covar=0)
    full = kind == "full"
    covariances = start.covariances if full else np.diagonal(start.covariances, axis1=1, axis2=2).copy()

    def step() -> None:
        model.weights_, model.means_, model.covariances_ = start.weights, start.means, covariances
        model.precisions_cholesky_ = _compute_precision_cholesky(covariances, kind)
        model._m_step(y, model._e_step(y)[1])

    return step


def steps_to(run: Climb, target: float) -> int | None:
    """E-steps until the log-likelihood was ``target``, all refused guesses among them; None where it never was."""
    if run.trace[-1] < target:
        return None
    return int(np.argmax(np.array(run.trace) >= target)) + 1 + run.refused


def measured(workload: Workload, alternations: int, *, to_target: bool) -> Row:
    mixture, start = workload.mixture, workload.start
    theirs = peer_step(workload)

    def ours() -> Any:
        return mixture.m_step(mixture.e_step(start))

    ours()
    times = np.array([(seconds(ours), seconds(theirs)) for _ in range(alternations)])
    own, peer = np.median(times, axis=0)
    ratio = float(np.median(times[:, 1] / times[:, 0]))
    plain = evaluations = gained = None
    if to_target:
        fast, slow = climb(mixture, start, "squarem", FAST_STEPS), climb(mixture, start, None, MOST_STEPS)
        target = max(fast.trace[-1], slow.trace[-1]) - TARGET * len(mixture.counts)
        plain, evaluations = steps_to(slow, target), steps_to(fast, target)
        gained = None if plain is None or evaluations is None else ratio * plain / evaluations
    return Row(workload.name, len(mixture.counts), 1e3 * own, 1e3 * peer, ratio, plain, evaluations, gained)


def coin_row(n: int, alternations: int) -> Row:
    """A step on the distinct bags, beside the classic step over all rows with `scipy.stats`."""
    tosses, mixture, start = coins(n)

    def theirs() -> None:
        joint = start.weights * stats.binom.pmf(tosses.heads[:, None], tosses.tosses[:, None], start.head_probabilities)
        shares = joint / joint.sum(axis=1, keepdims=True)
        _ = shares.mean(axis=0), (tosses.heads @ shares) / (tosses.tosses @ shares)

    def ours() -> None:
        for _ in range(100):
            mixture.m_step(mixture.e_step(start))

    times = np.array([(seconds(ours) / 100, seconds(theirs)) for _ in range(alternations)])
    own, peer = np.median(times, axis=0)
    return Row("coins", n, 1e3 * own, 1e3 * peer, float(np.median(times[:, 1] / times[:, 0])), None, None, None)


def small_fits() -> dict[str, float]:
    """Milliseconds of whole fits of small data, default starts and standard errors included; the least of five."""
    from comparisons.datasets import load

    waiting = load("faithful").columns["waiting"]
    tosses = coins(30)[0]
    runs = {
        "Old Faithful waiting": lambda: em.gaussian_mixture(waiting),
        "30 bags of coins": lambda: em.coin_mixture(tosses),
    }
    return {name: 1e3 * min(seconds(run) for _ in range(5)) for name, run in runs.items()}


def table(rows: list[Row]) -> str:
    head = "| workload | rows | step, ms | peer, ms | ratio | plain steps | evaluations, SQUAREM | to target |\n"
    head += "|---|---|---|---|---|---|---|---|\n"

    def cell(value: float | None, form: str) -> str:
        return "–" if value is None else format(value, form)

    lines = [
        f"| {r.workload} | {r.rows} | {r.step:.3g} | {r.peer_step:.3g} | {r.step_ratio:.1f}× | {cell(r.plain_steps, 'd')} "
        f"| {cell(r.evaluations, 'd')} | {cell(r.to_target_ratio, '.0f')}{'' if r.to_target_ratio is None else '×'} |"
        for r in rows
    ]
    return head + "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--workload", nargs="*", default=[*WORKLOADS, "coins"], help="i, ii, iii, iv, iv-diagonal, v, coins"
    )
    parser.add_argument("--alternations", type=int, default=5)
    parser.add_argument("--peers", default="scikit-learn", choices=["scikit-learn"])
    parser.add_argument("--to-target", nargs="*", default=["i", "ii"], help="workloads that are also run to the target")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows: list[Row] = []
    for name in options.workload:
        if name == "coins":
            rows += [coin_row(n, options.alternations) for n in (5, 1000, 1_000_000)]
        else:
            rows.append(measured(WORKLOADS[name](), options.alternations, to_target=name in options.to_target))
        print(table(rows[-1:] if name != "coins" else rows[-3:]), flush=True)
    machine = {
        "machine": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "versions": {p: version(p) for p in ("numpy", "scipy", "scikit-learn", "numba")},
        "python": platform.python_version(),
        "load": os.getloadavg()[0],
    }
    fits = small_fits()
    print(table(rows), fits, machine, sep="\n")
    if options.json is not None:
        options.json.write_text(
            json.dumps({"rows": [asdict(r) for r in rows], "fits": fits, **machine}, indent=1) + "\n"
        )


if __name__ == "__main__":
    main()
