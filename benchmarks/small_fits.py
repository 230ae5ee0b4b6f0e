"""Processor time of whole small fits beside another checkout: ``python -m benchmarks.small_fits ../before [--turns 15]``.

Each checkout has a process of its own, and they take turns, so that what else the machine does falls on both alike; the ratio is
the median over the turns. Where the fits end is printed too: a fit that is quicker and lower is no gain.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

import em
from models import CoinTosses

HERE = Path(__file__).resolve().parent.parent
# Seconds that a fit is repeated for at each turn, about.
STRETCH = 0.3

type Turn = tuple[float, float]


def fits() -> dict[str, Callable[[], Any]]:
    """Whole fits with default starts and standard errors."""
    random = np.random.default_rng(1)
    few = CoinTosses(heads=[5, 9, 8, 4, 7], tosses=10)
    more = CoinTosses(heads=random.binomial(10, np.where(random.random(30) < 0.4, 0.75, 0.45)), tosses=10)
    plane = np.loadtxt(HERE / "comparisons/datasets/faithful.csv", delimiter=",", skiprows=1)
    return {
        "5 bags of coins": lambda: em.coin_mixture(few),
        "30 bags of coins": lambda: em.coin_mixture(more),
        "30 bags, three coins": lambda: em.coin_mixture(more, 3),
        "Old Faithful, waiting": lambda: em.gaussian_mixture(plane[:, 1]),
        "Old Faithful, plane": lambda: em.gaussian_mixture(plane),
        "plane, tied": lambda: em.gaussian_mixture(plane, covariance="tied"),
        "plane, three normals": lambda: em.gaussian_mixture(plane, 3),
    }


def answer() -> None:
    """Run the fits that are asked for on standard input, and say how long each took and where it ended."""
    known = fits()
    for line in sys.stdin:
        run = known[line.strip()]
        run()  # what is made once is made
        began, times = time.process_time(), 0
        while time.process_time() - began < STRETCH:
            fit, times = run(), times + 1
        print(json.dumps(((time.process_time() - began) / times, fit.log_likelihood)), flush=True)


def asked(process: subprocess.Popen[str], name: str) -> Turn:
    assert process.stdin is not None
    assert process.stdout is not None
    print(name, file=process.stdin, flush=True)
    taken, ended = json.loads(process.stdout.readline())
    return taken, ended


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("other", type=Path, nargs="?", help="the checkout to compare with")
    parser.add_argument("--turns", type=int, default=15)
    options = parser.parse_args()
    if options.other is None:
        return answer()
    if not (options.other / "em").is_dir():
        parser.error(f"{options.other} has no folder em; give the path of a checkout")
    processes = []
    for checkout in (options.other.resolve(), HERE):
        # -P: benchmarks/em.py is not to be taken for em.
        variables = {"PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        opened = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "env": os.environ | variables}
        processes.append(subprocess.Popen([sys.executable, "-P", __file__], cwd=checkout, **opened))  # type: ignore[call-overload]
    for name in fits():
        turns = []
        for turn in range(options.turns):
            order = (0, 1) if turn % 2 else (1, 0)
            taken = {j: asked(processes[j], name) for j in order}
            turns.append((taken[0], taken[1]))
        other, ours = (1e3 * median(turn[j][0] for turn in turns) for j in (0, 1))
        ratio, gain = median(b[0] / a[0] for a, b in turns), turns[0][1][1] - turns[0][0][1]
        print(
            f"{name}: {other:.2f} ms there, {ours:.2f} ms here, ratio {ratio:.3f}; ends {gain:+.2g} nats higher",
            flush=True,
        )
    for process in processes:
        process.communicate()


if __name__ == "__main__":
    main()
