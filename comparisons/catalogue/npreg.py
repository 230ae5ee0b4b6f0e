"""Simulated rows about a line and a parabola (Leisch 2004): a mixture of regressions on x and its square."""

import numpy as np

from comparisons.datasets import Dataset
from comparisons.declaration import Comparison, Fitted
from comparisons.results.report_data import Finding
from models import RegressionRows


def rows(dataset: Dataset) -> RegressionRows:
    """The response, given x and its square."""
    x = dataset.columns["x"]
    return RegressionRows(dataset.columns["y"], np.column_stack([x, x**2]), covariates=["x", "x^2"])


def findings(fitted: Fitted) -> list[Finding]:
    """Rows that are told right, and where another program ends."""
    fit, told = fitted.maximum_likelihood, fitted.dataset.columns["class"] - 1
    right = (fit.predict(fitted.data) == told).mean()
    widths = fit.parameters.standard_deviations
    return [
        Finding(
            "The rows and their classes",
            f"EM puts {100 * right:.1f} % of the rows with the curve from which they were simulated. These are y = 5 x and "
            "y = 15 + 10 x − x², both with a standard deviation of 3.",
        ),
        Finding(
            "The divisor of a variance",
            f"The maximum is {fit.log_likelihood:.6f}, with standard deviations {widths[0]:.4f} and {widths[1]:.4f}. flexmix "
            "divides squared residuals by n_k (n − p) / n in place of n_k, for p coefficients, and so ends below it, at "
            "−642.545166 with 3.4757 and 3.4802.",
        ),
    ]


COMPARISON = Comparison(
    name="npreg",
    title="A line and a parabola",
    question="Do two regressions on x and its square find the line and the parabola that rows were simulated from?",
    dataset="npreg",
    description="200 rows, half of them about a line and half about a parabola",
    unit="",
    data=rows,
    components=("line", "parabola"),
    features=("y", "x", "x^2"),
    prior_reason=(
        "Read off the data: curves about that of least squares over all rows, worth a twentieth of a row, and variances about a "
        "quarter of the mean squared residual; and one row more for each weight, so that the mode empties no component."
    ),
    findings=findings,
)


if __name__ == "__main__":
    import sys

    from comparisons.command.command_line import main

    main(["run", COMPARISON.name, *sys.argv[1:]])
