"""Three coins, one toss each: example 9.1 of Li Hang, a model that is not identified."""

import em
from comparisons.datasets import Dataset
from comparisons.declaration import UNIFORM, Comparison, Fitted
from comparisons.results.report_data import Finding
from models import CoinParameters, CoinPrior, CoinTosses


def single_tosses(dataset: Dataset) -> CoinTosses:
    """Ten bags of one toss."""
    return CoinTosses(heads=dataset.columns["heads"], tosses=1)


def findings(fitted: Fitted) -> list[Finding]:
    """Every start ends somewhere else, and all of them say the same of a toss."""
    sentences = []
    for weight, first, second in ((0.5, 0.5, 0.5), (0.4, 0.6, 0.7)):
        start = CoinParameters(weights=[weight, 1 - weight], head_probabilities=[first, second])
        fit = em.coin_mixture(fitted.data, start=start)
        w, p = fit.parameters.weights[0], fit.parameters.head_probabilities
        sentences.append(
            f"from ({weight}, {first}, {second}) EM stops after one step at ({w:.4f}, {p[0]:.4f}, {p[1]:.4f}), where the "
            f"chance of heads is {w * p[0] + (1 - w) * p[1]:.4f} (status: {fit.status})"
        )
    low, high = (fitted.posterior_mean[f"head_probabilities[{coin}]"] for coin in "AB")
    return [
        Finding(
            "What is identified, and what is not",
            "A single toss shows heads with probability weight[A] p[A] + (1 - weight[A]) p[B], and nothing else can be "
            f"learned from single tosses. With (weight[A], p[A], p[B]) as in the book: {'; '.join(sentences)}. From every "
            "start one step leads to a fixed point; the likelihood is flat in two of the three directions, and no estimate of "
            "the three numbers by itself means anything. The posterior says the same in another way: it leaves the ordered prior "
            f"(means 0.33 and 0.67) only in so far as a mixture of the two coins must show heads about as often as was seen "
            f"(means {low:.2f} and {high:.2f}), while the chance of heads of a toss is identified.",
        )
    ]


COMPARISON = Comparison(
    name="three-coin-single-toss",
    title="Three coins, a single toss each time",
    question="Coin C chooses A or B for a single toss: what can ten tosses say of three coins?",
    dataset="single_tosses",
    description="ten single tosses; a hidden toss of coin C chose coin A or coin B for each",
    unit="heads in one toss",
    data=single_tosses,
    components=("A", "B"),
    prior=CoinPrior(),
    prior_reason=UNIFORM,
    findings=findings,
)


if __name__ == "__main__":
    import sys

    from comparisons.command.command_line import main

    main(["run", COMPARISON.name, *sys.argv[1:]])
