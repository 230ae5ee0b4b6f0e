"""Heights with the sex hidden: two components that are not women and men."""

import em
from comparisons.catalogue.heights_labelled import heights_by_sex
from comparisons.catalogue.one_normal import heights
from comparisons.declaration import WEAKLY_INFORMATIVE, Comparison, Fitted
from comparisons.results.report_data import Finding
from models import GaussianParameters


def describe(parameters: GaussianParameters) -> str:
    """Both components in a few words."""
    rows = zip(parameters.weights, parameters.means[:, 0], parameters.standard_deviations[:, 0], strict=True)
    return " and ".join(f"{w:.3f} of the people at {m:.2f} cm (sd {s:.2f})" for w, m, s in rows)


def findings(fitted: Fitted) -> list[Finding]:
    """The modes, the sexes, and row 12."""
    fit = fitted.maximum_likelihood
    labelled = heights_by_sex(fitted.dataset)
    by_sex = em.gaussian_mixture(labelled.y, labels=labelled.labels).parameters
    from_sexes = em.gaussian_mixture(fitted.data.y, start=by_sex)
    one = em.gaussian_mixture(fitted.data.y, n_components=1)
    everyone = em.gaussian_mixture(fitted.dataset.columns["height"])
    regular = [m for m in everyone.modes if m.regular]
    with_row = (
        f"all {sum(m.starts for m in everyone.modes)} starts ended with a component that collapses onto that row or onto tied "
        "values, where the likelihood grows without limit, so that there is no maximum to report"
        if not regular
        else f"the best maximum without such a component has log-likelihood {regular[0].log_likelihood:.3f}"
    )
    return [
        Finding(
            "The best fit does not split women from men, but one that does is almost as good",
            f"The best maximum, log-likelihood {fit.log_likelihood:.3f}, is {describe(fit.parameters)}: a narrow group "
            f"inside a wide one. Started from the sexes themselves EM ends at {from_sexes.log_likelihood:.3f}, "
            f"{describe(from_sexes.parameters)}, {fit.log_likelihood - from_sexes.log_likelihood:.2f} nats lower with as many "
            f"parameters: the likelihood hardly chooses between them. By sex the estimate is {describe(by_sex)}. One normal for "
            f"everybody has {one.log_likelihood:.3f}, and BIC prefers it ({one.bic:.1f} against {fit.bic:.1f}; smaller is "
            "better; a rough guide, as one component is a singular point of two). As the best mode is not the sexes the "
            "components are numbered, not named; whether there are two at all is asked by "
            "`comparisons components heights`.",
        ),
        Finding(
            "With and without row 12",
            "Row 12 has weight and height swapped (166 kg, 57 cm). This comparison leaves it out. With it, "
            f"{with_row}. A prior on the variances, as in the posterior here, keeps it finite.",
        ),
    ]


COMPARISON = Comparison(
    name="heights",
    title="Heights, the sex hidden",
    question="Heights with the sex hidden: do two components find women and men?",
    dataset="davis",
    description="heights of 199 people without their sex, row 12 (weight and height swapped) left out",
    unit="cm",
    data=heights,
    components=("1", "2"),
    features=("height",),
    prior_reason=WEAKLY_INFORMATIVE,
    findings=findings,
)


if __name__ == "__main__":
    import sys

    from comparisons.command.command_line import main

    main(["run", COMPARISON.name, *sys.argv[1:]])
