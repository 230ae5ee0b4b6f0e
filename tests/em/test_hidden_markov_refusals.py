"""What `em.hidden_markov` and its PyMC model refuse: the message names argument, value, place and remedy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import em
import models


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"y": [1.5, 2.0], "emissions": "poisson"}, r"y\[0\] is 1.5; poisson states emit whole numbers from 0"),
        (
            {"y": [2.0, 1.0], "emissions": "binomial"},
            r"y\[0\] is 2; binomial states emit whole numbers from 0 to tosses",
        ),
        ({"y": [np.nan, np.nan]}, "no value that was seen"),
        ({"y": [1, -2, 3], "emissions": "poisson"}, r"y\[1\] is -2; .* or give emissions=\"normal\" for measurements"),
        ({"y": [3.0] * 9}, r"y is 3 wherever it was seen, from y\[0\] on, .* or a prior: models.GaussianPrior"),
        ({"y": [np.nan, 3.0, 3.0]}, r"y is 3 wherever it was seen, from y\[1\] on"),
        (
            {"y": [1.0, np.nan, 2.0], "n_states": 3},
            "n_states is 3 but y has 2 values that were seen; ask for fewer states",
        ),
        ({"y": [4], "emissions": "poisson"}, "n_states is 2 but y has 1 value that was seen"),
        ({"y": [1.0, 2.0], "emissions": "gamma"}, 'give "normal", "poisson" or "binomial"'),
        ({"y": [1.0, 2.0], "initial": [1.0]}, "initial has 1 values but n_states is 2"),
        ({"y": [1.0, 2.0], "acceleration": "newton"}, 'give None, "auto", "squarem" or "anderson"'),
    ],
)
def test_what_does_not_fit_is_refused_with_the_remedy(told: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        em.hidden_markov(**told)
    with pytest.raises(ValueError, match="lengths sum to 3 but y has 2"):
        models.Sequences([1.0, 2.0], [1, 2])


@pytest.mark.parametrize(
    ("own", "message"),
    [
        ({"means": [1, 2], "variances": [0, -1]}, r"start.emissions has means .* give variances above 0"),
        ({"rates": [-1, 2]}, r"start.emissions has rates .*; give rates from 0"),
        (
            {"head_probabilities": [0.5, 2]},
            r"start.emissions has head_probabilities .*; give probabilities from 0 to 1",
        ),
    ],
)
def test_a_start_that_is_none_is_refused_by_its_name(own: dict[str, Any], message: str) -> None:
    start = models.HiddenMarkovParameters([1, 0], np.full((2, 2), 0.5), own)
    emissions: Any = {"means": "normal", "rates": "poisson"}.get(next(iter(own)), "binomial")
    with pytest.raises(ValueError, match=message):
        em.hidden_markov([1, 0, 1, 1], 2, emissions, start=start)
    wrong: Any = {"start": "x"}
    with pytest.raises(TypeError, match=r"start is 'x'; give models\.HiddenMarkovParameters"):
        em.hidden_markov([1, 0, 1, 1], 2, emissions, **wrong)
    nothing: Any = {"initial": None}
    with pytest.raises(TypeError, match='initial is None; give "free"'):
        em.hidden_markov([1, 0, 1, 1], 2, emissions, **nothing)


def test_the_model_says_of_the_same_data_what_em_says() -> None:
    with pytest.raises(ValueError, match="y is 3 wherever it was seen"):
        models.hidden_markov([3.0] * 9)
    with pytest.raises(ValueError, match="y is 0 wherever it was seen, so there is no rate for the default prior"):
        models.hidden_markov([0] * 9, 2, "poisson")
    with pytest.raises(ValueError, match="n_states is 3 but y has 2 values"):
        models.hidden_markov([1, 4], 3, "poisson")
