"""Two coins, the coin of each bag hidden: the example of Do & Batzoglou (2008)."""

from itertools import product

import numpy as np
from scipy.special import betaln, gammaln, logsumexp

import em
from comparisons.datasets import Dataset
from comparisons.declaration import UNIFORM, Comparison, Fitted
from comparisons.results.report_data import Finding
from models import CoinParameters, CoinPrior, CoinTosses


def bags(dataset: Dataset) -> CoinTosses:
    """Five bags of ten tosses, heads counted."""
    tosses = dataset.columns["tosses"]
    return CoinTosses(heads=np.strings.count(tosses, "H"), tosses=np.strings.str_len(tosses))


def log_evidence(data: CoinTosses, n_coins: int) -> float:
    """Log marginal likelihood of equally likely coins with uniform priors, by all assignments of bags to coins."""
    h, t = data.heads, data.tosses
    coefficients = (gammaln(t + 1) - gammaln(h + 1) - gammaln(t - h + 1)).sum()
    terms = []
    for assignment in product(range(n_coins), repeat=len(h)):
        used = np.eye(n_coins)[list(assignment)]
        heads, tosses = h @ used, t @ used
        terms.append(betaln(heads + 1, tosses - heads + 1).sum())
    return float(coefficients + logsumexp(terms) - len(h) * np.log(n_coins))


def findings(fitted: Fitted) -> list[Finding]:
    """How weak the evidence for two coins is, and why mean and maximum differ."""
    data, fit = fitted.data, fitted.maximum_likelihood
    one = em.coin_mixture(data, n_components=1)
    ratio = 2 * (fit.log_likelihood - one.log_likelihood)
    bayes_factor = np.exp(log_evidence(data, 2) - log_evidence(data, 1))
    article = em.coin_mixture(data, weights="equal", start=CoinParameters([0.5, 0.5], [0.6, 0.5]))
    ten = article.path[10].head_probabilities
    low, high = fit.parameters.head_probabilities
    return [
        Finding(
            "Are there two coins at all?",
            f"Hardly to be told from five bags. One coin with head probability {one.parameters.head_probabilities[0]:.2f} "
            f"fits almost as well: twice the gain in log-likelihood is {ratio:.3f} (not to be read as a chi-squared: one coin "
            f"lies on the edge of two), and the exact Bayes factor for two "
            f"equally likely coins against one, both with uniform priors, is {bayes_factor:.2f}. The verdict above takes "
            "two coins as given.",
        ),
        Finding(
            "Why posterior mean and maximum differ",
            f"With uniform priors the posterior mode is the maximum of the likelihood, ({high:.3f}, {low:.3f}) for (A, B). "
            f"The posterior mean, ({fitted.posterior_mean['head_probabilities[A]']:.3f}, "
            f"{fitted.posterior_mean['head_probabilities[B]']:.3f}), averages over every pair that the tosses allow; of "
            "ten tosses a bag few are excluded. On this scale the uniform prior leaves the mode where it is, and the mean "
            "need not be at the mode; under another prior both would move differently. The draws are "
            "ordered, the lower coin being B, so that no label switches; what ordering does to the means is part of "
            "averaging. The mean of both, chance_of_heads, has a prior that is highest at one half, and is drawn there besides.",
        ),
        Finding(
            "Where the article's ten iterations end",
            f"From (0.6, 0.5) ten EM iterations reach ({ten[0]:.5f}, {ten[1]:.5f}), printed as (0.80, 0.52); the maximum is "
            f"({high:.10f}, {low:.10f}). Started with two equal coins EM would go to the saddle where both have the share of all "
            "heads and stay there, though the objective rises along their difference.",
        ),
    ]


COMPARISON = Comparison(
    name="two-coin",
    title="Two coins, five sets of ten tosses",
    question="Which coin each set was tossed with is unknown: what does EM estimate, and does the posterior agree?",
    dataset="two_coin",
    description="five sets of ten tosses; each set was tossed with coin A or coin B, not known which, with equal chance",
    unit="heads in ten tosses",
    data=bags,
    weights="equal",
    components=("B", "A"),  # A is the coin with more heads
    prior=CoinPrior(),
    prior_reason=UNIFORM,
    findings=findings,
)


if __name__ == "__main__":
    import sys

    from comparisons.command.command_line import main

    main(["run", COMPARISON.name, *sys.argv[1:]])
