"""How often a search finds the best known optimum of thirty hard sets: ``python -m benchmarks.search [--sets 5] [--first 90]``.

The best known optimum is the highest that any of the searches finds, the default, the thorough and a large one (thorough
from two more seeds): it is computed here, not kept.
"""

from __future__ import annotations

import argparse
import time

import em
from benchmarks.hard_sets import NUMBER, hard_set
from models.inputs import Floats

# Nats within which two searches have found the same optimum.
SAME = 1e-4


def regular_value(y: Floats, k: int, starts: em.starts.Starts, seed: int) -> tuple[float, float]:
    """Log-likelihood of the best regular optimum, and seconds of processor time."""
    began = time.process_time()
    fit = em.gaussian_mixture(y, k, starts=starts, seed=seed, acceleration="squarem")
    return fit.log_likelihood if fit.modes[0].regular else float("-inf"), time.process_time() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=NUMBER, help="how many sets")
    parser.add_argument(
        "--first", type=int, default=0, help="the first of them; others than the thirty are drawn alike"
    )
    options = parser.parse_args()
    number = options.sets
    found = {"default": 0, "thorough": 0}
    seconds = {"default": 0.0, "thorough": 0.0}
    for j in range(options.first, options.first + number):
        y, k = hard_set(j)
        values = {}
        for how in ("default", "thorough"):
            values[how], took = regular_value(y, k, how, 0)
            seconds[how] += took
        best = max(*values.values(), *(regular_value(y, k, "thorough", seed)[0] for seed in (1, 2)))
        for how, value in values.items():
            found[how] += value > best - SAME
        short = {how: round(best - value, 4) for how, value in values.items()}
        print(f"set {j}: {k} components, {y.shape[1]} features, best {best:.4f}, short of it {short}", flush=True)
    for how, times in found.items():
        print(f"{how}: the best known optimum of {times} of {number} sets, {seconds[how] / number:.2f} s each")


if __name__ == "__main__":
    main()
