"""How narrow the middle half of a posterior looks that is its prior: ``python -m benchmarks.contraction [--repeats 4000]``.

Of data that tell nothing the posterior is the prior. Each repeat takes draws of a quantity's prior that are as dependent as the
check of the sampler just allows, four chains of which together have 400 effective draws, and divides their interquartile range
by that of as many independent draws of the prior as a comparison takes. The smallest ratios say from where on a posterior is
narrower than its prior by more than Monte Carlo error.
"""

from __future__ import annotations

import argparse

import numpy as np
from scipy.signal import lfilter
from scipy.stats import norm

from comparisons import catalogue, datasets, families
from comparisons.families.mixtures import drawn
from comparisons.posterior.nuts import ESS
from comparisons.posterior.prior_draws import middle_half
from models.inputs import Floats

COMPARISONS = ("two-coin", "three-coin", "faithful", "galaxies", "faithful-2d")
CHAINS, DRAWS, OF_PRIOR, OF_REFERENCE = 4, 1000, 4000, 400_000
SHARES = (0.0001, 0.001, 0.01, 0.5)
# Of an autoregression of first order n draws are worth n (1 - a) / (1 + a).
CORRELATION = (CHAINS * DRAWS - ESS) / (CHAINS * DRAWS + ESS)


def priors(name: str, random: np.random.Generator) -> dict[str, Floats]:
    """Many independent draws ``(n,)`` of every quantity of a comparison under its prior."""
    comparison = catalogue.declaration(name)
    problem = families.problem(comparison, comparison.data(datasets.load(comparison.dataset)))
    groups = problem.mixture(None).groups
    return problem.quantities(drawn(problem.family, problem.comparison, problem.prior, groups, OF_REFERENCE, random))


def dependent(random: np.random.Generator) -> Floats:
    """``(CHAINS * DRAWS,)`` probabilities, uniform each, that go on from one another along every chain."""
    first = random.normal(size=(CHAINS, 1))
    steps = random.normal(scale=np.sqrt(1 - CORRELATION**2), size=(CHAINS, DRAWS - 1))
    chains = lfilter([1.0], [1.0, -CORRELATION], np.hstack([first, steps]), axis=1)
    return np.asarray(norm.cdf(chains)).ravel()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=4000, help="how many for each quantity")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    random = np.random.default_rng(asked.seed)
    print(f"{'quantity':<44}" + "".join(f"{f'{share:.2%}':>9}" for share in SHARES))
    every: list[Floats] = []
    for name in COMPARISONS:
        for quantity, values in priors(name, random).items():
            ordered = np.sort(values)
            ratios = np.empty(asked.repeats)
            for j in range(asked.repeats):
                posterior = ordered[(dependent(random) * len(ordered)).astype(np.int64)]
                prior = ordered[random.integers(len(ordered), size=OF_PRIOR)]
                ratios[j] = middle_half(posterior) / middle_half(prior)
            every.append(ratios)
            told = "".join(f"{value:9.3f}" for value in np.quantile(ratios, SHARES))
            print(f"{f'{name} {quantity}'[:44]:<44}{told}", flush=True)
    told = "".join(f"{value:9.3f}" for value in np.quantile(np.concatenate(every), SHARES))
    print(f"{'all':<44}{told}  smallest {min(r.min() for r in every):.3f}")


if __name__ == "__main__":
    main()
