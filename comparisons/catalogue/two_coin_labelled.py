"""Two coins, the coin of each bag known: the complete-data half of the example of Do & Batzoglou (2008)."""

from comparisons.catalogue.two_coin import bags
from comparisons.datasets import Dataset
from comparisons.declaration import UNIFORM, Comparison, Fitted
from comparisons.results.report_data import Finding
from models import CoinPrior, CoinTosses


def labelled_bags(dataset: Dataset) -> CoinTosses:
    """The bags with their coins, A being component 0 and B component 1."""
    tosses = bags(dataset)
    return CoinTosses(tosses.heads, tosses.tosses, labels=(dataset.columns["coin"] == "B").astype(int))


def findings(fitted: Fitted) -> list[Finding]:
    """The closed form, beside the posterior by quadrature."""
    data = fitted.data
    sentences = []
    for k, coin in enumerate("AB"):
        heads, tosses = (int(values[data.labels == k].sum()) for values in (data.heads, data.tosses))
        exact = (heads + 1) / (tosses + 2)
        sentences.append(
            f"coin {coin}: {heads} of {tosses} tosses were heads, {heads / tosses:.2f}; the posterior is "
            f"Beta({heads + 1}, {tosses - heads + 1}) with mean {exact:.4f}, by quadrature "
            f"{fitted.posterior_mean[f'head_probabilities[{coin}]']:.4f}"
        )
    return [
        Finding(
            "All of it in closed form",
            f"With the coins known one M-step is the answer ({fitted.maximum_likelihood.iterations} iterations were made, "
            f"the second to see that nothing moves). Of {'; of '.join(sentences)}.",
        )
    ]


COMPARISON = Comparison(
    name="two-coin-labelled",
    title="Two coins, the coin of each bag known",
    question="Five bags of ten tosses, the coin of each known: how often does each coin show heads?",
    dataset="two_coin",
    description="five bags of ten tosses, each with the coin it was tossed with",
    unit="heads in ten tosses",
    data=labelled_bags,
    weights="equal",
    components=("A", "B"),
    prior=CoinPrior(),
    prior_reason=UNIFORM,
    findings=findings,
)


if __name__ == "__main__":
    import sys

    from comparisons.command.command_line import main

    main(["run", COMPARISON.name, *sys.argv[1:]])
