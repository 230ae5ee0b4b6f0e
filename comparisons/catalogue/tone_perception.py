"""Tones tuned to the octave of a stretched one (Cohen 1980): a mixture of two lines."""

import em
from comparisons.datasets import Dataset
from comparisons.declaration import Comparison, Fitted
from comparisons.results.report_data import Finding
from models import RegressionRows


def trials(dataset: Dataset) -> RegressionRows:
    """The ratio that was tuned, given that of the overtones."""
    columns = dataset.columns
    return RegressionRows(columns["tuned"], columns["stretchratio"], covariates=["stretchratio"])


def findings(fitted: Fitted) -> list[Finding]:
    """Two theories of what a musician hears, and the maximum that is known from the literature."""
    fit = fitted.maximum_likelihood
    one = em.regression_mixture(fitted.data, n_components=1)
    regular = [mode for mode in fit.modes if mode.regular]
    lines, widths = (regular[1].parameters.coefficients, regular[1].parameters.standard_deviations)
    return [
        Finding(
            "Two theories",
            "A musician who tunes to the octave puts every tone at 2, one who follows the overtones puts it at their ratio. One "
            f"line through all trials has log-likelihood {one.log_likelihood:.4f}, two have {fit.log_likelihood:.4f}.",
        ),
        Finding(
            "Another maximum",
            f"In the highest maximum {fit.parameters.weights.min() * fitted.data.n:.0f} trials lie within "
            f"{fit.parameters.standard_deviations.min():.4f} of the overtones' ratio. Programs that start at random often end "
            f"at the next maximum, {regular[1].log_likelihood:.4f}, with slopes {lines[0, 1]:.3f} and {lines[1, 1]:.3f}, "
            f"standard deviations {widths[0]:.3f} and {widths[1]:.3f}; mixtools does.",
        ),
    ]


COMPARISON = Comparison(
    name="tone-perception",
    title="Tones tuned to the octave",
    question="Does a musician tune to the octave, or to the overtones of a stretched tone?",
    dataset="tone_perception",
    description="150 trials of one musician",
    unit="",
    data=trials,
    components=("overtones", "octave"),
    features=("tuned", "stretchratio"),
    prior_reason=(
        "Read off the data: lines about that of least squares over all trials, worth a twentieth of a trial, and variances about "
        "a quarter of the mean squared residual; and one trial more for each weight, so that the mode empties no component."
    ),
    findings=findings,
)


if __name__ == "__main__":
    import sys

    from comparisons.command.command_line import main

    main(["run", COMPARISON.name, *sys.argv[1:]])
