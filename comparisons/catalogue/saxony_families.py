"""Boys in families of Saxony (Geissler 1889): the classic binomial mixture, and a slow problem for EM."""

import numpy as np

import em
from comparisons.datasets import Dataset
from comparisons.declaration import UNIFORM, Comparison, Fitted
from comparisons.results.report_data import Finding
from models import CoinPrior, CoinTosses


def families(dataset: Dataset) -> CoinTosses:
    """Boys among the first twelve children, counted by families."""
    columns = dataset.columns
    return CoinTosses(heads=columns["boys"], tosses=columns["children"], counts=columns["families"])


def findings(fitted: Fitted) -> list[Finding]:
    """How much better two are than one, and how slow EM is here."""
    data, fit = fitted.data, fitted.maximum_likelihood
    one = em.coin_mixture(data, n_components=1)
    faster = em.coin_mixture(data, start=fit.path[0], acceleration="squarem")
    change = np.diff(fit.trace)
    early = int(np.argmax(change < 1e-6)) + 1
    short = abs(fit.path[early].weights[0] - fit.parameters.weights[0])
    spread = em.beta_binomial_mixture(data, n_components=1)
    return [
        Finding(
            "One chance of a boy, or two",
            f"One binomial with probability {one.parameters.head_probabilities[0]:.6f} has log-likelihood "
            f"{one.log_likelihood:.4f}, two components {fit.log_likelihood:.5f}: families differ more than twelve tosses of "
            f"one coin would. (Twice the gain, {2 * (fit.log_likelihood - one.log_likelihood):.1f}, has no chi-squared "
            "distribution: one chance lies on the edge of two.) Two chances are one way to say so, not the only one: a beta "
            f"distribution of chances, with one parameter fewer, has log-likelihood {spread.log_likelihood:.3f}; that is the "
            "comparison saxony-overdispersed. The verdict is about two fits of the mixture, not about the mixture.",
        ),
        Finding(
            "A test of stop rules",
            f"EM converges at rate {fit.rate:.5f}, so a small step is no sign of arrival. Stopped when the log-likelihood "
            f"gains less than 1e-6 (iteration {early} of {fit.iterations}) the first weight would be {short:.4f} short of the "
            f"maximum, {short / fit.standard_errors.weights[0]:.2f} standard errors. "
            f"Extrapolated steps (SQUAREM) need {faster.evaluations} evaluations from the same start.",
        ),
    ]


COMPARISON = Comparison(
    name="saxony-families",
    title="Boys in families of Saxony",
    question="Boys among the first 12 children of 6115 families: is one chance of a boy enough, or are there two?",
    dataset="saxony",
    description="boys among the first twelve children of 6115 families, counted by number of boys",
    unit="boys among twelve children",
    data=families,
    components=("1", "2"),
    rival="saxony-overdispersed",
    prior=CoinPrior(),
    prior_reason=UNIFORM,
    findings=findings,
)


if __name__ == "__main__":
    import sys

    from comparisons.command.command_line import main

    main(["run", COMPARISON.name, *sys.argv[1:]])
