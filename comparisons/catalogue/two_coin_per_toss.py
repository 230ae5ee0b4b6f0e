"""Two coins, a hidden coin for every single toss: the fifty tosses of the two-coin example, regrouped."""

import numpy as np

import em
from comparisons.datasets import Dataset
from comparisons.declaration import UNIFORM, Comparison, Fitted
from comparisons.results.report_data import Finding
from models import CoinParameters, CoinPrior, CoinTosses


def tosses(dataset: Dataset) -> CoinTosses:
    """Fifty bags of one toss."""
    letters = np.array(list("".join(dataset.columns["tosses"])))
    return CoinTosses(heads=(letters == "H").astype(int), tosses=1)


def findings(fitted: Fitted) -> list[Finding]:
    """Only the mean of the two coins is identified."""
    fit = em.coin_mixture(fitted.data, weights="equal", start=CoinParameters([0.5, 0.5], [0.6, 0.5]))
    n, heads = fitted.data.n, int(fitted.data.heads @ fitted.data.counts)
    one, limit = fit.path[1].head_probabilities, fit.parameters.head_probabilities
    return [
        Finding(
            "The grouping was the information",
            "The same fifty tosses, but each with its own hidden coin: only the mean of the two head probabilities is "
            f"identified. From (0.6, 0.5) one EM step gives ({one[0]:.10f}, {one[1]:.10f}) and the limit is "
            f"({limit[0]:.8f}, {limit[1]:.8f}), whose mean {limit.mean():.2f} is the share of heads; another start gives "
            "another pair with the same mean. That bags of ten were tossed with one coin is what identifies two head "
            "probabilities in the two-coin comparison; whether there are two coins, five bags hardly tell there either.",
        ),
        Finding(
            "What the prior does to what is identified",
            f"The chance of heads is {limit.mean():.3f} by EM and {fitted.posterior_mean['chance_of_heads']:.3f} (sd "
            f"{fitted.posterior_sd['chance_of_heads']:.3f}, by quadrature) in the posterior. Two uniform coins "
            "are not a uniform mean: the mean of two has a triangular prior with its peak at one half, and that is where the "
            "posterior is drawn to. Under a uniform prior on it the mean would be "
            f"{(heads + 1) / (n + 2):.3f}; the rest of the gap is that triangle's. The "
            "table has all of it between mode and mean: the prior is flat in the two coins, where the mode is taken, and not in "
            "their mean.",
        ),
    ]


COMPARISON = Comparison(
    name="two-coin-per-toss",
    title="Two coins, a hidden coin for every single toss",
    question="If the coin is drawn anew for every toss, does regrouping the same tosses change what is known?",
    dataset="two_coin",
    description="the fifty tosses one by one, each with its own hidden coin, equal chances",
    unit="heads in one toss",
    data=tosses,
    weights="equal",
    components=("1", "2"),
    prior=CoinPrior(),
    prior_reason=UNIFORM,
    findings=findings,
)


if __name__ == "__main__":
    import sys

    from comparisons.command.command_line import main

    main(["run", COMPARISON.name, *sys.argv[1:]])
