"""Old Faithful with equal weights and one shared variance: the simplest mixture of two normals."""

import em
from comparisons.catalogue.faithful import waiting_times
from comparisons.declaration import WEAKLY_INFORMATIVE, Comparison, Fitted
from comparisons.results.report_data import Finding


def findings(fitted: Fitted) -> list[Finding]:
    """What each simplification costs in log-likelihood."""
    fit, y = fitted.maximum_likelihood, fitted.data.y
    shared = em.gaussian_mixture(y, covariance="tied")
    free = em.gaussian_mixture(y)
    w = shared.parameters.weights
    return [
        Finding(
            "What the simpler model costs",
            f"One shared standard deviation costs nothing: log-likelihood {shared.log_likelihood:.7f} against "
            f"{free.log_likelihood:.7f} with two. Equal weights cost {shared.log_likelihood - fit.log_likelihood:.3f} more "
            f"({fit.log_likelihood:.7f}): the data put {w[0]:.3f} and {w[1]:.3f} on the components, and twice that difference "
            "is far beyond what one free parameter gains by chance. The verdict compares two fits of this model; it does "
            "not say that the model is good.",
        )
    ]


COMPARISON = Comparison(
    name="faithful-equal-weights",
    title="Old Faithful: equal weights, one variance",
    question="Old Faithful with equal weights and one shared variance: what does the simpler model cost?",
    dataset="faithful",
    description="272 waiting times to the next eruption",
    unit="minutes",
    data=waiting_times,
    weights="equal",
    covariance="tied",
    components=("short", "long"),
    features=("waiting",),
    prior_reason=WEAKLY_INFORMATIVE,
    findings=findings,
)


if __name__ == "__main__":
    import sys

    from comparisons.command.command_line import main

    main(["run", COMPARISON.name, *sys.argv[1:]])
