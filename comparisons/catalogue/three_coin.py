"""Three coins: C chooses A or B, which is then tossed ten times; the bags of Do & Batzoglou (2008) read that way."""

import numpy as np

import em
from comparisons.catalogue.two_coin import bags
from comparisons.declaration import UNIFORM, Comparison, Fitted
from comparisons.results.report_data import Finding
from models import CoinParameters, CoinPrior


def findings(fitted: Fitted) -> list[Finding]:
    """What the article's stop rule costs, and how little is known of C."""
    start = CoinParameters(weights=[0.6, 0.4], head_probabilities=[0.5, 0.8])
    fit = em.coin_mixture(fitted.data, start=start)
    lower = np.array([p.head_probabilities[0] for p in fit.path])
    stop = int(np.argmax(np.abs(np.diff(lower)) < 1e-6)) + 1
    then, limit = fit.path[stop], fit.parameters
    error = fit.standard_errors
    return [
        Finding(
            "What the article's stop rule costs",
            f"From A 0.5, B 0.8, C 0.6 the tutorial article that the example comes "
            f"from stops when A moves by less than 1e-6: after {stop - 1} counted iterations "
            f"(path[{stop}]), at A {float(then.head_probabilities[0])!r}, B "
            f"{float(then.head_probabilities[1])!r}, C {float(then.weights[0])!r}. "
            f"The limit is A {limit.head_probabilities[0]:.8f}, B {limit.head_probabilities[1]:.8f}, "
            f"C {limit.weights[0]:.8f}. A is {abs(then.head_probabilities[0] - limit.head_probabilities[0]):.1e} off, several "
            f"times the tolerance, since EM converges at rate {fit.rate:.3f} here; and C, which the rule never looks at, is "
            f"{abs(then.weights[0] - limit.weights[0]):.1e} off. Next to the standard errors (A "
            f"{error.head_probabilities[0]:.3f}, C {error.weights[0]:.3f}) either is nothing; as digits to print it is not.",
        ),
        Finding(
            "What is known of C",
            f"Almost nothing: EM gives {limit.weights[0]:.2f} with standard error {error.weights[0]:.2f}, and the posterior "
            f"sd of the chance of A is {fitted.posterior_sd['weights[A]']:.2f}, against 0.29 before any toss.",
        ),
    ]


COMPARISON = Comparison(
    name="three-coin",
    title="Three coins: C chooses A or B for ten tosses",
    question="Coin C chooses coin A or B for ten tosses: can the head probabilities of all three be told from five bags?",
    dataset="two_coin",
    description="five bags of ten tosses; a hidden toss of coin C chose coin A or coin B for each bag",
    unit="heads in ten tosses",
    data=bags,
    components=("A", "B"),  # here A is the lower coin, as in the article
    prior=CoinPrior(),
    prior_reason=UNIFORM,
    findings=findings,
)


if __name__ == "__main__":
    import sys

    from comparisons.command.command_line import main

    main(["run", COMPARISON.name, *sys.argv[1:]])
