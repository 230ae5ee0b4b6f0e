"""Old Faithful's waiting times by gamma distributions, beside normal ones."""

import numpy as np

import em
from comparisons.datasets import Dataset
from comparisons.declaration import Comparison, Fitted
from comparisons.results.report_data import Finding
from models import PositiveTimes


def waiting_times(dataset: Dataset) -> PositiveTimes:
    """Minutes to the next eruption, all seen to their end."""
    return PositiveTimes(dataset.columns["waiting"])


def findings(fitted: Fitted) -> list[Finding]:
    """How much better gammas fit than normals, and what the choice changes."""
    gammas, rows = fitted.maximum_likelihood, waiting_times(fitted.dataset)
    waits = rows.y
    normals = em.gaussian_mixture(waits)
    by_row = gammas.score_rows(rows) - normals.score_rows(waits)
    better, error = by_row.sum(), by_row.std() * np.sqrt(len(waits))
    changed = np.flatnonzero(gammas.predict(rows) != normals.predict(waits))
    p, means = gammas.parameters, normals.parameters.means[:, 0]
    skewness = 2 / np.sqrt(p.shapes)
    return [
        Finding(
            "Normal or gamma",
            f"Two gamma distributions have log-likelihood {gammas.log_likelihood:.4f}, two normals of as many parameters "
            f"{normals.log_likelihood:.4f}: {better:.2f} nats between them, with a standard error of {error:.2f} over the "
            f"waits (Vuong 1989). That {'tells' if abs(better) > 2 * error else 'does not tell'} them apart.",
        ),
        Finding(
            "What the choice changes",
            f"With shapes of {p.shapes[0]:.0f} and {p.shapes[1]:.0f} the gammas are nearly normal: their skewness is "
            f"{skewness[0]:.2f} and {skewness[1]:.2f}. Mean waits are {p.means[0]:.2f} and {p.means[1]:.2f} minutes beside "
            f"{means[0]:.2f} and {means[1]:.2f}, and {len(changed)} of {len(waits)} waits "
            f"{'belongs' if len(changed) == 1 else 'belong'} to another component.",
        ),
    ]


COMPARISON = Comparison(
    name="faithful-gammas",
    title="Old Faithful: waiting times, normal or gamma",
    question="Old Faithful's waiting times cannot be negative: are they normal or gamma, and what does the choice change?",
    dataset="faithful",
    description="272 waiting times to the next eruption",
    unit="minutes",
    data=waiting_times,
    components=("short", "long"),
    prior_reason=(
        "Read off the data: one over the mean of a component is gamma about that of all waits, worth two of them; shapes are "
        "gamma about four times that of all waits together, as two components are narrower; and one wait more for each weight, "
        "so that the mode empties no component and none is without width."
    ),
    findings=findings,
)


if __name__ == "__main__":
    import sys

    from comparisons.command.command_line import main

    main(["run", COMPARISON.name, *sys.argv[1:]])
