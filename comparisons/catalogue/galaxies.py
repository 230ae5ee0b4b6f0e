"""Velocities of 82 galaxies, three components: a small data set with several modes."""

import numpy as np

import em
from comparisons.datasets import Dataset
from comparisons.declaration import WEAKLY_INFORMATIVE, Comparison, Fitted
from comparisons.results.report_data import Finding
from models import Measurements

MISPRINT = 77  # the 78th velocity: 26690 in the file, 26960 in the source


def velocities(dataset: Dataset) -> Measurements:
    """Velocities in 1000 km/s, as they ship."""
    return Measurements(dataset.columns["velocity_km_s"] / 1000)


def findings(fitted: Fitted) -> list[Finding]:
    """How many modes there are, and what the misprint changes."""
    fit, y = fitted.maximum_likelihood, fitted.data.y
    modes = [m for m in fit.modes if m.regular]
    found = "; ".join(f"{m.log_likelihood:.3f} from {m.starts} of the starts" for m in modes)
    two = em.gaussian_mixture(y, n_components=2)
    pair = [f"{m.log_likelihood:.3f}" for m in two.modes if m.regular][:2]
    corrected = np.array(y[:, 0])
    corrected[MISPRINT] = 26.96
    again = em.gaussian_mixture(corrected, n_components=3)
    return [
        Finding(
            "Several modes",
            f"With three components EM's starts end at {len(modes)} maxima: log-likelihood {found}. With two, the "
            f"best two modes, {' and '.join(pair)}, are almost level. Which mode a single start finds is chance; which one a "
            "chain stays in may be, too.",
        ),
        Finding(
            "The 78th galaxy",
            "The file has 26690 km/s for the 78th galaxy, a known misprint of 26960, and is used as it ships. Corrected, the "
            f"log-likelihood would be {again.log_likelihood:.3f} instead of {fit.log_likelihood:.3f} and the middle mean "
            f"{again.parameters.means[1, 0]:.4f} instead of {fit.parameters.means[1, 0]:.4f}.",
        ),
    ]


COMPARISON = Comparison(
    name="galaxies",
    title="Velocities of 82 galaxies",
    question="Velocities of 82 galaxies, three components: which of several modes does each engine see?",
    dataset="galaxies",
    description="velocities of 82 galaxies of the Corona Borealis region",
    unit="1000 km/s",
    data=velocities,
    components=("1", "2", "3"),
    features=("velocity",),
    prior_reason=WEAKLY_INFORMATIVE,
    findings=findings,
)


if __name__ == "__main__":
    import sys

    from comparisons.command.command_line import main

    main(["run", COMPARISON.name, *sys.argv[1:]])
