"""Major earthquakes by year as a hidden Markov chain: rows that are not independent, and a state that lasts."""

from __future__ import annotations

import numpy as np

from comparisons.declaration import Fitted
from comparisons.hidden_markov_chains import pair_of
from comparisons.pair import PairDeclaration
from comparisons.results.report_data import Finding
from models.hidden_markov_chains import Sequences


def findings(fitted: Fitted) -> list[Finding]:
    """How long the states last, and what their memory is worth against a mixture of the same two rates."""
    import em

    p = fitted.maximum_likelihood.parameters
    quiet, lively = 1 / (1 - np.diag(p["transitions"]))
    mixture = em.poisson_mixture(fitted.data.y, n_components=2)
    gain = fitted.maximum_likelihood.log_likelihood - mixture.log_likelihood
    return [
        Finding(
            "What the order of the years tells",
            f"A quiet state lasts {quiet:.1f} years on average, a lively one {lively:.1f}. A mixture of two Poisson "
            f"distributions, whose years have no order, has a log-likelihood of {mixture.log_likelihood:.2f}; the chain, with "
            f"one parameter more, has {gain:.2f} nats more.",
        )
    ]


COMPARISON = PairDeclaration(
    pair=pair_of(2, "poisson", name="earthquakes"),
    name="earthquakes",
    title="Major earthquakes",
    question="Do quiet and lively years of the earth come in runs, and how many earthquakes has each?",
    dataset="earthquakes",
    description="Earthquakes of magnitude 7 or more in each of 107 years, in their order; the first year has the stationary "
    "distribution of the two hidden states",
    unit="earthquakes a year",
    data=lambda dataset: Sequences(dataset.columns["count"]),
    prior_reason="Read off the data: gamma about the mean of the counts, worth two events, as of a Poisson mixture of these "
    "years; and one move more for each transition, so that the mode leaves none at 0.",
    findings=findings,
)


if __name__ == "__main__":
    import sys

    from comparisons.command.command_line import main

    main(["run", COMPARISON.name, *sys.argv[1:]])
