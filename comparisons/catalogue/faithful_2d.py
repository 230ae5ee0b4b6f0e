"""Old Faithful in two dimensions: eruptions and waiting times with full covariances."""

import numpy as np

from comparisons.datasets import Dataset
from comparisons.declaration import WEAKLY_INFORMATIVE, Comparison, Fitted
from comparisons.results.report_data import Finding
from models import Measurements


def eruptions_and_waiting(dataset: Dataset) -> Measurements:
    """Minutes of the eruption and minutes to the next."""
    return Measurements(np.column_stack([dataset.columns["eruptions"], dataset.columns["waiting"]]))


def findings(fitted: Fitted) -> list[Finding]:
    """Correlation within the clusters, and the snippet that cannot work."""
    covariances = fitted.maximum_likelihood.parameters.covariances
    within = [c[0, 1] / np.sqrt(c[0, 0] * c[1, 1]) for c in covariances]
    overall = np.corrcoef(fitted.data.y.T)[0, 1]
    return [
        Finding(
            "Most of the correlation is between the clusters",
            f"Eruptions and waiting times correlate with {overall:.2f} over all rows, but only with {within[0]:.2f} within the "
            f"short and {within[1]:.2f} within the long eruptions.",
        ),
        Finding(
            "The d-dimensional snippet of the article",
            "The tutorial article that the Old Faithful examples come from passes on a snippet for d "
            "dimensions that adds one-dimensional densities over the dimensions, where "
            "a mixture needs the density of the whole vector, and divides by the zeros off the diagonal of its "
            "covariances. Run on these rows its estimates are not a number after one step, so there is nothing to compare.",
        ),
    ]


COMPARISON = Comparison(
    name="faithful-2d",
    title="Old Faithful: eruptions and waiting times",
    question="Eruptions and waiting times together: do two components with full covariances agree with their posterior?",
    dataset="faithful",
    description="272 eruptions with the time to the next",
    unit="minutes",
    data=eruptions_and_waiting,
    components=("short", "long"),
    features=("eruptions", "waiting"),
    prior_reason=WEAKLY_INFORMATIVE,
    findings=findings,
)


if __name__ == "__main__":
    import sys

    from comparisons.command.command_line import main

    main(["run", COMPARISON.name, *sys.argv[1:]])
