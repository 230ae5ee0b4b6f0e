"""The other Old Faithful data: the rows that the article lists, and the estimate it prints for others."""

import em
from comparisons.catalogue.faithful import waiting_times
from comparisons.datasets import load
from comparisons.declaration import WEAKLY_INFORMATIVE, Comparison, Fitted
from comparisons.results.report_data import Finding


def findings(fitted: Fitted) -> list[Finding]:
    """The mix-up in numbers."""
    here = fitted.maximum_likelihood
    other = waiting_times(load("faithful"))
    there = em.gaussian_mixture(other.y)

    def numbers(fit: em.Fit) -> str:  # type: ignore[type-arg]
        p = fit.parameters
        return (
            f"weight {p.weights[0]:.5f}, means {p.means[0, 0]:.3f} and {p.means[1, 0]:.3f}, sds "
            f"{p.standard_deviations[0, 0]:.3f} and {p.standard_deviations[1, 0]:.3f}"
        )

    return [
        Finding(
            "Two data sets of one geyser",
            f"The tutorial article that the Old Faithful examples come from lists these "
            f"{fitted.data.n} intervals (MASS's geyser) but prints the estimate of the {other.n} "
            f"intervals of R's faithful. These rows give {numbers(here)}; the printed numbers, {numbers(there)}, belong to the "
            "other rows. Whoever types in the list and expects the printed estimate will look for an error that is not "
            "in the program.",
        )
    ]


COMPARISON = Comparison(
    name="geyser",
    title="Old Faithful: the other data set",
    question="The article lists these waiting times but prints the estimate of others: what is theirs?",
    dataset="geyser",
    description="299 waiting times between eruptions, August 1985",
    unit="minutes",
    data=waiting_times,
    components=("short", "long"),
    features=("waiting",),
    prior_reason=WEAKLY_INFORMATIVE,
    findings=findings,
)


if __name__ == "__main__":
    import sys

    from comparisons.command.command_line import main

    main(["run", COMPARISON.name, *sys.argv[1:]])
