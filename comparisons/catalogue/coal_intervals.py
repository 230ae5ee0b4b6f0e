"""Days between disasters in British coal mines (Jarrett 1979): a mixture of exponential distributions."""

import numpy as np

import em
from comparisons.datasets import Dataset
from comparisons.declaration import Comparison, Fitted
from comparisons.results.report_data import Finding
from models import WaitingTimes


def intervals(dataset: Dataset) -> WaitingTimes:
    """Days from one disaster to the next, all seen to their end."""
    return WaitingTimes(dataset.columns["days"])


def findings(fitted: Fitted) -> list[Finding]:
    """How much better two rates are than one, and what a mixture leaves out here."""
    fit, days = fitted.maximum_likelihood, fitted.dataset.columns["days"]
    one = em.exponential_mixture(fitted.data, n_components=1)
    means = 1 / fit.parameters.rates
    long = fit.responsibilities(fitted.data.distinct())[:, 0]
    early, late = (np.interp(part, fitted.data.distinct().y, long).mean() for part in np.array_split(days, 2))
    return [
        Finding(
            "One rate, or two",
            f"The standard deviation of the waits is {days.std() / days.mean():.2f} times their mean, where one exponential "
            f"distribution has 1. One rate, a disaster in {1 / one.parameters.rates[0]:.0f} days, has log-likelihood "
            f"{one.log_likelihood:.4f}; two, one in {means[0]:.0f} and one in {means[1]:.0f} "
            f"days, have {fit.log_likelihood:.4f}.",
        ),
        Finding(
            "The order of the waits",
            f"The mixture does not know when a wait was. On average a wait of the first half has probability {early:.2f} of the "
            f"lower rate, one of the second half {late:.2f}: disasters became rarer, and a model of that would say so.",
        ),
    ]


COMPARISON = Comparison(
    name="coal-intervals",
    title="Days between disasters in coal mines",
    question="Days between disasters in British coal mines, 1851 to 1962: is there one rate, or are there two?",
    dataset="coal_intervals",
    description="190 waits from one disaster with ten or more killed to the next",
    unit="days",
    data=intervals,
    components=("rare", "frequent"),
    prior_reason=(
        "Read off the data: gamma about the rate of all waits, worth two disasters, and one wait more for each weight, so that "
        "the mode empties no component and no rate is 0 or without bound."
    ),
    findings=findings,
)


if __name__ == "__main__":
    import sys

    from comparisons.command.command_line import main

    main(["run", COMPARISON.name, *sys.argv[1:]])
