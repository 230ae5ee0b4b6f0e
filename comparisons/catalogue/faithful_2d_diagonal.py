"""Old Faithful in two dimensions with diagonal covariances: independent features within each kind of eruption."""

from comparisons.catalogue.faithful_2d import eruptions_and_waiting
from comparisons.declaration import Comparison, Fitted
from comparisons.results.report_data import Finding
from em import gaussian_mixture

PRIOR_REASON = (
    "Read off the data: mean and scale after Fraley & Raftery (2007), as mclust's users know them. With d + 4 degrees of "
    "freedom posterior variances and their Monte Carlo errors exist, and with a shrinkage of 0.05 the prior mean is worth a "
    "twentieth of a row; these two are this suite's. On the mode the prior acts like d + 7 extra rows in each component, whose "
    "squares sum to the diagonal of the scale (twice that of an inverse-gamma); free weights get one row for each component."
)


def findings(fitted: Fitted) -> list[Finding]:
    """What the two covariances are worth that this form holds at 0."""
    full = gaussian_mixture(fitted.data.y, 2, start=fitted.maximum_likelihood.parameters)
    statistic = 2 * (full.log_likelihood - fitted.maximum_likelihood.log_likelihood)
    within = [c[0, 1] / (c[0, 0] * c[1, 1]) ** 0.5 for c in full.parameters.covariances]
    return [
        Finding(
            "What independence within the components costs",
            f"With full covariances twice the log-likelihood is {statistic:.1f} higher, for two parameters more: eruptions and "
            f"waiting times correlate with {within[0]:.2f} within the short and with {within[1]:.2f} within the long eruptions. "
            "Both fits here are of the model without these correlations, and agree or differ as fits of that.",
        )
    ]


COMPARISON = Comparison(
    name="faithful-2d-diagonal",
    title="Old Faithful: independent features",
    question="Eruptions and waiting times, independent within each component: do EM and the posterior agree then?",
    dataset="faithful",
    description="272 eruptions with the time to the next",
    unit="minutes",
    data=eruptions_and_waiting,
    components=("short", "long"),
    covariance="diagonal",
    features=("eruptions", "waiting"),
    prior_reason=PRIOR_REASON,
    findings=findings,
)


if __name__ == "__main__":
    import sys

    from comparisons.command.command_line import main

    main(["run", COMPARISON.name, *sys.argv[1:]])
