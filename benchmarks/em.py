"""Speed of EM beside what a user would pick instead, from the same start: ``python -m benchmarks.em``.

    python -m benchmarks.em [--workload iii ...] [--peers scikit-learn mclust ...] [--alternations 5] [--json FILE]

Times are of the processor, one BLAS thread and one of our own; contestants and the floor take turns, so that what else the
machine does falls on all alike, and the ratios are medians over the turns. The floor is what the matrix products and
exponentials of a step take by themselves, in NumPy, on arrays of the best size. "To target" is until the log-likelihood is
truly within 1e-6 nats per row of the optimum; scikit-learn is run there in full on ii. A peer that is not installed is listed.
"""

from __future__ import annotations

import os

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"

import argparse
import json
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

import em
from benchmarks.peers import PEERS, Missing, Peer, scikit_learn_steps, seconds
from benchmarks.report import tables
from benchmarks.workloads import WORKLOADS, Workload, coins
from em.ascent.acceleration import fastest
from em.ascent.climb import climb

# Nats per row from the optimum at which a run has arrived.
TARGET = 1e-6
# Steps after which a plain and an accelerated run are ended.
MOST_STEPS, FAST_STEPS = 5000, 600
# Seconds of a run to the target that is timed but once.
LONG = 30
# Where scikit-learn is run to the target in full, which takes a minute; elsewhere it would take up to an hour.
IN_FULL = "ii"
# Seconds that a measured stretch takes at least: our step is repeated, as it is in a fit.
STRETCH = 0.05
# Order of the matrices and numbers of exponentials that the floor is measured with.
ORDER, EXPONENTIALS = 768, 4096
# Iterations over which coins are compared with their collapse to distinct bags included.
COIN_STEPS = 100

type Table = list[dict[str, Any]]


def floor(workload: Workload) -> Callable[[], float]:
    """Seconds that the matrix products and exponentials of a step take at the machine's best, measured at each call."""
    square, product = np.random.default_rng(0).random((ORDER, ORDER)), np.empty((ORDER, ORDER))
    exponents, powers = np.linspace(-5.0, 0.0, EXPONENTIALS), np.empty(EXPONENTIALS)
    n, k, f = len(workload.mixture.points), workload.k, len(workload.mixture.rows.largest)

    def measured() -> float:
        multiplication = seconds(lambda: np.dot(square, square, product)) / ORDER**3
        exponential = seconds(lambda: [np.exp(exponents, powers) for _ in range(1000)]) / (1000 * EXPONENTIALS)
        return float(n * k * (2 * f * multiplication + exponential))

    return measured


def one_step(workload: Workload) -> Callable[[], Any]:
    mixture, start = workload.mixture, workload.start
    return lambda: mixture.m_step(mixture.e_step(start))


def step_row(workload: Workload, names: list[str], alternations: int) -> dict[str, Any]:
    """Our step, the floor and every peer's step in turn."""
    ours, at_best = one_step(workload), floor(workload)
    ours()
    times = max(1, int(STRETCH / seconds(ours)))
    missing: dict[str, str] = {}
    with ExitStack() as stack:
        peers: list[Peer] = []
        for name in names:
            try:
                peers.append(stack.enter_context(PEERS[name](workload)))
            except Missing as reason:
                missing[name] = str(reason)
        turns = np.array(
            [
                (seconds(lambda: [ours() for _ in range(times)]) / times, at_best(), *(p.step() for p in peers))
                for _ in range(alternations)
            ]
        )
    own, best, *others = np.median(turns, axis=0)
    ratios = np.median(turns / turns[:, :1], axis=0)
    return {
        "workload": workload.name,
        "rows": len(workload.mixture.points),
        "ms": 1e3 * own,
        "floor_ms": 1e3 * best,
        "to_floor": float(np.median(turns[:, 0] / turns[:, 1])),
        "peers": {
            p.name: {"version": p.version, "ms": 1e3 * t, "ratio": float(ratio)}
            for p, t, ratio in zip(peers, others, ratios[2:], strict=True)
        },
        "missing": missing,
    }


def memory_row(workload: Workload, *, beside_scikit_learn: bool) -> dict[str, Any]:
    """Most megabytes beyond the data that a step holds at any time."""

    def peak(run: Callable[[], Any]) -> float:
        run()
        tracemalloc.start()
        run()
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most / 1e6

    data = np.asarray(workload.mixture.points).nbytes / 1e6
    row = {"workload": workload.name, "data_mb": data, "ours_mb": peak(one_step(workload))}
    if beside_scikit_learn:
        theirs = scikit_learn_steps(workload)
        row["scikit_learn_mb"] = peak(lambda: theirs(1))
    return row


@contextmanager
def threads(number: int) -> Iterator[None]:
    """Our own steps on so many threads."""
    os.environ["OMP_NUM_THREADS"] = str(number)
    try:
        yield
    finally:
        os.environ["OMP_NUM_THREADS"] = "1"


def thread_row(workload: Workload, alternations: int) -> dict[str, Any]:
    """Time on the clock of a step on one thread and on two, and whether the statistics are the same to the bit."""
    found: dict[int, Any] = {}

    def elapsed(number: int) -> float:
        with threads(number):
            began = time.perf_counter()
            found[number] = workload.mixture.e_step(workload.start)
            return time.perf_counter() - began

    elapsed(1)
    turns = np.array([(elapsed(1), elapsed(2)) for _ in range(alternations)])
    one, two = found[1], found[2]
    parts = [(one.rows, two.rows), (one.first, two.first), (one.second, two.second)]
    same = one.log_likelihood == two.log_likelihood and all(np.array_equal(a, b) for a, b in parts)
    ratio = float(np.median(turns[:, 0] / turns[:, 1]))
    return {"workload": workload.name, "ratio": ratio, "same_bits": bool(same), "processors": os.cpu_count()}


def plain_steps_to(workload: Workload, target: float) -> int | None:
    """Plain steps until the log-likelihood is ``target``; None where so many do not get there."""
    mixture, parameters = workload.mixture, workload.start
    for number in range(MOST_STEPS):
        statistics = mixture.e_step(parameters)
        if statistics.log_likelihood >= target:
            return number
        parameters = mixture.m_step(statistics)
    return None


def target_row(workload: Workload, alternations: int, *, beside: bool, in_full: bool) -> dict[str, Any]:
    """Seconds until truly within `TARGET` of the optimum, ours accelerated as by default and scikit-learn's, in turn.

    scikit-learn's steps are plain EM's: where it is not run ``in_full`` its time is that of one step times their number. A run
    of ours that takes more than `LONG` seconds is timed once.
    """
    mixture, start, n = workload.mixture, workload.start, len(workload.mixture.counts)
    with threads(os.cpu_count() or 1):  # the same bits, so the same numbers of steps
        fast = climb(mixture, start, "auto", FAST_STEPS)
        target = fast.trace[-1] - TARGET * n
        few, many = int(np.argmax(np.array(fast.trace) >= target)), plain_steps_to(workload, target)
    row: dict[str, Any] = {"workload": workload.name, "method": fastest(mixture), "plain_steps": many}
    row |= {"ending": fast.ending, "in_full": in_full}

    def ours() -> None:
        row["evaluations"] = climb(mixture, start, "auto", few).evaluations

    first = seconds(ours)
    turns = 1 if first > LONG else alternations
    if many is None or not beside:
        row["ours_s"] = float(np.median([seconds(ours) for _ in range(turns)])) if turns > 1 else first
        return row
    with PEERS["scikit-learn"](workload) as peer:
        times = np.array([(first if turns == 1 else seconds(ours), peer.step()) for _ in range(turns)])
    row["turns"] = turns
    row["ours_s"], step = np.median(times, axis=0).tolist()
    row["scikit_learn_s"] = step * many
    row["ratio"] = float(np.median(times[:, 1] / times[:, 0])) * many
    if in_full:
        value = 0.0

        def theirs() -> None:
            nonlocal value
            value = scikit_learn_steps(workload)(many + 1)  # its values are those before a step

        row["scikit_learn_s"] = seconds(theirs) * many / (many + 1)
        row["scikit_learn_short_of_target"] = target / n - value
        row["ratio"] = row["scikit_learn_s"] / row["ours_s"]
    return row


def coin_row(n: int, alternations: int) -> dict[str, Any]:
    """A step on the distinct bags, beside the classic step over all bags with `scipy.stats`."""
    tosses, mixture, start = coins(n)

    def theirs() -> None:
        joint = start.weights * stats.binom.pmf(tosses.heads[:, None], tosses.tosses[:, None], start.head_probabilities)
        shares = joint / joint.sum(axis=1, keepdims=True)
        _ = shares.mean(axis=0), (tosses.heads @ shares) / (tosses.tosses @ shares)

    def ours() -> None:
        for _ in range(COIN_STEPS):
            mixture.m_step(mixture.e_step(start))

    turns = np.array([(seconds(ours) / COIN_STEPS, seconds(theirs)) for _ in range(alternations)])
    collapse = float(np.median([seconds(lambda: coins(n, tosses.heads)) for _ in range(alternations)]))
    own, peer = np.median(turns, axis=0)
    return {
        "bags": n,
        "ms": 1e3 * own,
        "row_by_row_ms": 1e3 * peer,
        "ratio": float(np.median(turns[:, 1] / turns[:, 0])),
        "collapse_ms": 1e3 * collapse,
        "ratio_with_collapse": COIN_STEPS * peer / (collapse + COIN_STEPS * own),
    }


def counted_coin_row(n: int) -> dict[str, Any]:
    """A step on so many bags that are given as counts of the distinct ones."""
    _, mixture, start = coins(100_000, times=n // 100_000)
    return {
        "bags": n,
        "ms": 1e3 / COIN_STEPS * seconds(lambda: [mixture.m_step(mixture.e_step(start)) for _ in range(COIN_STEPS)]),
    }


def small_fits() -> dict[str, float]:
    """Milliseconds of whole fits of small data, default starts and standard errors included; the least of five."""
    from comparisons.datasets import load

    waiting = load("faithful").columns["waiting"]
    tosses = coins(30)[0]
    runs: dict[str, Callable[[], Any]] = {
        "Old Faithful waiting": lambda: em.gaussian_mixture(waiting),
        "30 bags of coins": lambda: em.coin_mixture(tosses),
    }
    return {name: 1e3 * min(seconds(run) for _ in range(5)) for name, run in runs.items()}


def import_ratio(turns: int = 7) -> float:
    """Processor time of an import of em over that of NumPy and scipy.special: the median of fresh processes, bytecode cached."""
    code = (
        "import time, numpy, scipy.special\n"
        "before = time.process_time()\n"
        "import em\n"
        "print(time.process_time() / before)"
    )
    with tempfile.TemporaryDirectory() as cache:
        cached = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"} | {
            "PYTHONPYCACHEPREFIX": cache
        }

        def ratio() -> float:
            command = [sys.executable, "-c", code]
            return float(subprocess.run(command, env=cached, capture_output=True, text=True, check=True).stdout)

        ratio()  # compiles the bytecode
        return statistics.median(ratio() for _ in range(turns))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workload", nargs="*", default=[*WORKLOADS, "coins"], help="i, ii, iii, iv, ..., coins")
    parser.add_argument("--peers", nargs="*", default=list(PEERS), choices=list(PEERS))
    parser.add_argument("--alternations", type=int, default=5)
    parser.add_argument(
        "--to-target", nargs="*", default=["ii", "iii", "iv", "v"], help="workloads also run to the target"
    )
    parser.add_argument("--json", type=Path, help="where to keep the result; benchmarks.report makes the page of it")
    options = parser.parse_args()
    beside = "scikit-learn" in options.peers and find_spec("sklearn") is not None
    keys = ("steps", "targets", "memory", "threads", "coins")
    rows: list[Table] = [[] for _ in keys]
    steps, targets, memory, by_threads, coin_rows = rows
    for name in options.workload:
        print(f"{name} ...", file=sys.stderr, flush=True)
        if name == "coins":
            coin_rows += [coin_row(n, options.alternations) for n in (5, 1000, 1_000_000)]
            coin_rows.append(counted_coin_row(100_000_000))
            continue
        workload = WORKLOADS[name]()
        steps.append(step_row(workload, options.peers, options.alternations))
        if workload.mixture.rows.compiled:
            memory.append(memory_row(workload, beside_scikit_learn=beside))
            by_threads.append(thread_row(workload, options.alternations))
        if name in options.to_target:
            in_full = beside and name == IN_FULL
            targets.append(target_row(workload, options.alternations, beside=beside, in_full=in_full))
    result = {
        "command": f"python -m benchmarks.em {' '.join(sys.argv[1:])}".strip(),
        "machine": platform.processor() or platform.machine(),
        "processors": os.cpu_count(),
        "load": os.getloadavg()[0],
        "python": platform.python_version(),
        "versions": {package: version(package) for package in ("numpy", "scipy", "numba")},
        **dict(zip(keys, rows, strict=True)),
        "fits": small_fits(),
        "import_ratio": import_ratio(),
    }
    if options.json is not None:
        options.json.write_text(json.dumps(result, indent=1) + "\n")
    print(tables(result))


if __name__ == "__main__":
    main()
