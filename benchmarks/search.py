"""How often a search finds the best known optimum of hard sets: ``python -m benchmarks.search [--many-features] [--sets 5]``.

The best known optimum is the highest that any of the searches finds, the default, the thorough and a large one (thorough
from two more seeds), or that the components lead to which the rows were drawn from: it is computed here, not kept.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np

import em
from benchmarks.hard_sets import NUMBER, UNSEEN, HardSet, hard_set, hard_set_of_many_features
from models import GaussianParameters
from models.gaussians.covariances import Covariance
from models.inputs import Floats

# Nats within which two searches have found the same optimum.
SAME = 1e-4


def regular_value(
    y: Floats, k: int, starts: em.search.starts.Starts, seed: int, covariance: Covariance = "full"
) -> tuple[float, float]:
    """Log-likelihood of the best regular optimum, and seconds of processor time."""
    began = time.process_time()
    fit = em.gaussian_mixture(y, k, covariance, starts=starts, seed=seed, acceleration="squarem", progress=False)
    return fit.log_likelihood if fit.modes[0].regular else float("-inf"), time.process_time() - began


def true_value(drawn: HardSet) -> float:
    """Log-likelihood of the optimum that the true components lead to; -inf where that is not regular."""
    parts = [drawn.y[drawn.component == j] for j in range(drawn.k)]
    weights = np.array([len(part) for part in parts]) / len(drawn.y)
    covariances = np.array([np.cov(part.T, bias=True) for part in parts])
    if drawn.covariance == "tied":
        covariances[:] = np.tensordot(weights, covariances, 1)
    start = GaussianParameters(weights, [part.mean(axis=0) for part in parts], covariances)
    options: dict[str, Any] = {"start": start, "acceleration": "squarem", "progress": False}
    fit = em.gaussian_mixture(drawn.y, drawn.k, drawn.covariance, **options)
    return fit.log_likelihood if fit.modes[0].regular else float("-inf")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--many-features", action="store_true", help="sets with 3 to 10 features, else 1 or 2")
    parser.add_argument("--sets", type=int, default=NUMBER, help="how many sets")
    parser.add_argument(
        "--first", type=int, help="the first of them; else the first of those on which nothing was chosen"
    )
    options = parser.parse_args()
    number, first = options.sets, options.first
    if first is None:
        first = UNSEEN if options.many_features else 0
    covariance: Covariance = "full"
    found = {"default": 0, "thorough": 0}
    seconds, worst = dict.fromkeys(found, 0.0), dict.fromkeys(found, 0.0)
    for j in range(first, first + number):
        values, best = {}, float("-inf")
        if options.many_features:
            drawn = hard_set_of_many_features(j)
            (y, _, k, covariance), best = drawn, true_value(drawn)
        else:
            y, k = hard_set(j)
        for how in ("default", "thorough"):
            values[how], took = regular_value(y, k, how, 0, covariance)
            seconds[how] += took
        best = max(best, *values.values(), *(regular_value(y, k, "thorough", seed, covariance)[0] for seed in (1, 2)))
        for how, value in values.items():
            found[how] += value > best - SAME
            worst[how] = max(worst[how], best - value)
        short = {how: round(best - value, 4) for how, value in values.items()}
        print(
            f"set {j}: {k} components, {y.shape[1]} features, {len(y)} rows, {covariance}, best {best:.4f}, short of it {short}",
            flush=True,
        )
    for how, times in found.items():
        print(
            f"{how}: the best known optimum of {times} of {number} sets, at worst {worst[how]:.3g} nats short, "
            f"{seconds[how] / number:.2f} s each"
        )


if __name__ == "__main__":
    main()
