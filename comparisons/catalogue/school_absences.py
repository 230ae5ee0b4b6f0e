"""Days absent from school (Aitkin 1978): a mixture of negative binomial distributions whose best component is a Poisson one."""

import numpy as np

import em
from comparisons.datasets import Dataset
from comparisons.declaration import Comparison, Fitted
from comparisons.results.report_data import Finding
from models import EventCounts


def absences(dataset: Dataset) -> EventCounts:
    """Days that each child was absent in a year."""
    return EventCounts(dataset.columns["days"])


def findings(fitted: Fitted) -> list[Finding]:
    """How overdispersed the days are, what two kinds gain, and where a textbook optimiser would end."""
    days, fit = fitted.dataset.columns["days"], fitted.maximum_likelihood
    one, poisson = em.negative_binomial_mixture(fitted.data, 1), em.poisson_mixture(fitted.data, 1)
    inside = next(m for m in fit.modes if m.regular and (m.parameters.dispersions > 0).all())
    sizes = " and ".join(f"{size:.2f}" for size in inside.parameters.sizes)
    steady = int(np.argmin(fit.parameters.dispersions))
    return [
        Finding(
            "One kind of children, or two",
            f"The variance of the days is {days.var() / days.mean():.1f} times their mean: one Poisson distribution has "
            f"log-likelihood {poisson.log_likelihood:.1f}, one negative binomial distribution of mean "
            f"{one.parameters.rates[0]:.2f} and size {one.parameters.sizes[0]:.3f} has {one.log_likelihood:.4f}. Two have "
            f"{fit.log_likelihood:.4f}, with three parameters more: {fit.log_likelihood - one.log_likelihood:.2f} nats speak for "
            "no second kind.",
        ),
        Finding(
            "A component without dispersion",
            f"The likelihood is highest where the size of a component is infinite: a Poisson component of mean "
            f"{fit.parameters.rates[steady]:.3f} and weight {fit.parameters.weights[steady]:.3f}. An optimiser of sizes would "
            f"run there without end. The best maximum with finite sizes, {sizes}, is only a local one, "
            f"{fit.log_likelihood - inside.log_likelihood:.2f} nats lower. Dispersions are 1 over the sizes: what was infinite "
            "is a bound at 0.",
        ),
    ]


COMPARISON = Comparison(
    name="school-absences",
    title="Days absent from school",
    question="Days absent from school of 146 children in a year: is there one overdispersed kind of children, or are there two?",
    dataset="quine",
    description="146 children of Walgett, New South Wales, by the days that each was absent in a year",
    unit="days",
    data=absences,
    components=("1", "2"),
    family="negative-binomials",
    prior_reason=(
        "Gamma about the rate of all children, worth two days; dispersions are gamma with mean 1, at which the rates of children "
        "vary as exponential ones do, and density 0 at 0, so that no mode is a Poisson component; and one child more for each "
        "weight."
    ),
    findings=findings,
)


if __name__ == "__main__":
    import sys

    from comparisons.command.command_line import main

    main(["run", COMPARISON.name, *sys.argv[1:]])
