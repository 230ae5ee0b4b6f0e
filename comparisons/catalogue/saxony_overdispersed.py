"""Boys in families of Saxony (Geissler 1889) once more: one chance of a boy that varies, in place of two that do not."""

import numpy as np

import em
from comparisons.catalogue.saxony_families import families
from comparisons.declaration import Comparison, Fitted
from comparisons.results.report_data import Finding


def findings(fitted: Fitted) -> list[Finding]:
    """What the correlation means, and what two coins have against it."""
    fit, two = fitted.maximum_likelihood, em.coin_mixture(fitted.data, n_components=2)
    p, rho = float(fit.parameters.head_probabilities[0]), float(fit.parameters.correlations[0])
    spread, tosses = np.sqrt(p * (1 - p) * rho), int(fitted.data.tosses.max())
    return [
        Finding(
            "Families that differ a little",
            f"Two children of one family have a correlation of {rho:.4f}: chances of a boy vary between families with a standard "
            f"deviation of {spread:.3f} about {p:.4f} (beta numbers {p / rho - p:.2f} and {(1 - p) / rho - (1 - p):.2f}). The "
            f"boys of {tosses} children then have {1 + (tosses - 1) * rho:.3f} times the variance that one coin gives them.",
        ),
        Finding(
            "One beta-binomial, or two coins",
            f"One beta-binomial distribution has log-likelihood {fit.log_likelihood:.3f} with two parameters, two coins "
            f"{two.log_likelihood:.3f} with three: by AIC {fit.aic:.2f} against {two.aic:.2f}, by BIC {fit.bic:.2f} against "
            f"{two.bic:.2f}. Marginal likelihoods and leave-one-out are held against each other by `comparisons components "
            "saxony-overdispersed`.",
        ),
    ]


COMPARISON = Comparison(
    name="saxony-overdispersed",
    title="Boys in families of Saxony, overdispersed",
    question="Boys among the first 12 children of 6115 families: two chances of a boy, or one that varies between families?",
    dataset="saxony",
    description="boys among the first twelve children of 6115 families, counted by number of boys",
    unit="boys among twelve children",
    data=families,
    components=("1",),
    family="beta-binomials",
    rival="saxony-families",
    prior_reason=(
        "Uniform in the chance of a boy; the correlation of two children of a family is Beta(2, 8), which nine in ten times lies "
        "between 0.04 and 0.43: 6115 families outweigh it."
    ),
    findings=findings,
)


if __name__ == "__main__":
    import sys

    from comparisons.command.command_line import main

    main(["run", COMPARISON.name, *sys.argv[1:]])
