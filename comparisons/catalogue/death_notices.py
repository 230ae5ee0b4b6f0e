"""Deaths of women over eighty in The Times (Hasselblad 1969): the classic mixture of Poisson distributions."""

import numpy as np
from scipy.stats import poisson

import em
from comparisons.datasets import Dataset
from comparisons.declaration import Comparison, Fitted
from comparisons.results.report_data import Finding
from models import EventCounts


def notices(dataset: Dataset) -> EventCounts:
    """Notices a day, counted by days."""
    return EventCounts(dataset.columns["deaths"], counts=dataset.columns["days"])


def findings(fitted: Fitted) -> list[Finding]:
    """How much better two rates are than one, and how slow EM is here."""
    data, fit = fitted.data, fitted.maximum_likelihood
    one = em.poisson_mixture(data, n_components=1)
    seen, days = data.counts, data.n
    mean = seen @ data.events / days
    variance = seen @ (data.events - mean) ** 2 / days
    none = int(seen[data.events == 0].sum())
    early = int(np.argmax(np.diff(fit.trace) < 1e-6)) + 1
    short = abs(fit.path[early].weights[0] - fit.parameters.weights[0])
    return [
        Finding(
            "One rate, or two",
            f"The variance of notices a day is {variance / mean:.2f} times their mean, where one Poisson distribution has 1. One "
            f"rate of {one.parameters.rates[0]:.3f} has log-likelihood {one.log_likelihood:.4f} and expects "
            f"{days * poisson.pmf(0, one.parameters.rates[0]):.0f} days without a notice; there were {none}. Two rates have "
            f"log-likelihood {fit.log_likelihood:.4f}.",
        ),
        Finding(
            "A test of stop rules",
            f"EM converges at rate {fit.rate:.5f}, so a small step is no sign of arrival. Stopped when the log-likelihood "
            f"gains less than 1e-6 (iteration {early} of {fit.iterations}) the first weight would be {short:.4f} short of the "
            f"maximum, {short / fit.standard_errors.weights[0]:.2f} standard errors.",
        ),
    ]


COMPARISON = Comparison(
    name="death-notices",
    title="Death notices in The Times",
    question="Notices a day of deaths of women over eighty, 1910 to 1912: is there one rate, or are there two?",
    dataset="death_notices",
    description="1096 days, counted by the number of death notices of women over eighty in The Times",
    unit="notices a day",
    data=notices,
    components=("1", "2"),
    prior_reason=(
        "Read off the data: gamma about the rate of all days, worth two notices, and one day more for each weight, so that the "
        "mode empties no component and no rate is 0."
    ),
    findings=findings,
)


if __name__ == "__main__":
    import sys

    from comparisons.command.command_line import main

    main(["run", COMPARISON.name, *sys.argv[1:]])
