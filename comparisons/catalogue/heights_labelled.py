"""Heights of women and men, the sex of each known."""

import numpy as np

from comparisons.catalogue.one_normal import SWAPPED_ROW
from comparisons.datasets import Dataset
from comparisons.declaration import WEAKLY_INFORMATIVE, Comparison, Fitted
from comparisons.results.report_data import Finding
from models import Measurements


def heights_by_sex(dataset: Dataset) -> Measurements:
    """Heights without row 12, women being component 0 and men component 1."""
    columns = dataset.columns
    men = (columns["sex"] == "M").astype(int)
    return Measurements(np.delete(columns["height"], SWAPPED_ROW), labels=np.delete(men, SWAPPED_ROW))


def findings(fitted: Fitted) -> list[Finding]:
    """What the one wrong row would do to the women."""
    columns = fitted.dataset.columns
    women = columns["height"][columns["sex"] == "F"].astype(float)
    fit = fitted.maximum_likelihood.parameters
    return [
        Finding(
            "Row 12 is a woman",
            f"Row 12 has weight and height swapped (166 kg, 57 cm). Without it the women's mean is {fit.means[0, 0]:.3f} cm "
            f"with standard deviation {fit.standard_deviations[0, 0]:.3f} cm; with it {women.mean():.3f} and "
            f"{women.std():.3f} cm. One row of {len(women)} would more than double the spread.",
        )
    ]


COMPARISON = Comparison(
    name="heights-labelled",
    title="Heights of women and men, the sex known",
    question="Heights of women and men, the sex of each known: do both engines use labels alike?",
    dataset="davis",
    description="heights of 199 people with their sex, row 12 (weight and height swapped) left out",
    unit="cm",
    data=heights_by_sex,
    components=("women", "men"),
    features=("height",),
    prior_reason=WEAKLY_INFORMATIVE,
    findings=findings,
)


if __name__ == "__main__":
    import sys

    from comparisons.command.command_line import main

    main(["run", COMPARISON.name, *sys.argv[1:]])
