"""One normal distribution for heights: the case where everything is known in closed form."""

import numpy as np
from scipy.special import gammaln

from comparisons.datasets import Dataset
from comparisons.declaration import WEAKLY_INFORMATIVE, Comparison, Fitted
from comparisons.results.report_data import Finding
from models import GaussianPrior, Measurements

SWAPPED_ROW = 11  # row 12, counted from 1: weight and height are swapped


def heights(dataset: Dataset) -> Measurements:
    """Heights without row 12."""
    return Measurements(np.delete(dataset.columns["height"], SWAPPED_ROW))


def findings(fitted: Fitted) -> list[Finding]:
    """The closed form, and what the one wrong row would do."""
    y = fitted.data.y[:, 0]
    everything = fitted.dataset.columns["height"].astype(float)
    prior = GaussianPrior.weakly_informative(y, 1)
    shape, scale = (prior.degrees_of_freedom + len(y)) / 2, (prior.scale[0, 0] + len(y) * y.var()) / 2
    exact = np.sqrt(scale) * np.exp(gammaln(shape - 0.5) - gammaln(shape))  # mean of the root of an inverse-gamma
    deviation = float(fitted.maximum_likelihood.parameters.standard_deviations[0, 0])
    return [
        Finding(
            "In closed form",
            f"The maximum of the likelihood is the mean {y.mean():.4f} cm and the standard deviation {y.std():.4f} cm with "
            f"divisor n; EM returns {deviation:.4f} cm after one M-step. With the prior below the posterior is in closed form "
            f"too: the standard deviation has mean {exact:.4f} cm, sampled as "
            f"{fitted.posterior_mean['standard_deviations[all]']:.4f} cm. Skewness puts it above the mode, and the prior pulls "
            "both down.",
        ),
        Finding(
            "Row 12",
            "Row 12 has weight and height swapped (166 kg, 57 cm), a known error, and is left out. With it the mean would be "
            f"{everything.mean():.4f} cm and the standard deviation {everything.std():.4f} cm.",
        ),
    ]


COMPARISON = Comparison(
    name="one-normal",
    title="One normal distribution for heights",
    question="Heights as one normal distribution: do EM and posterior meet where all is known in closed form?",
    dataset="davis",
    description="heights of 199 people, row 12 (weight and height swapped) left out",
    unit="cm",
    data=heights,
    components=("all",),
    features=("height",),
    prior_reason=WEAKLY_INFORMATIVE,
    findings=findings,
)


if __name__ == "__main__":
    import sys

    from comparisons.command.command_line import main

    main(["run", COMPARISON.name, *sys.argv[1:]])
