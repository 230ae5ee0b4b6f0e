"""A program in words has the numbers of its prior."""

from __future__ import annotations

from typing import Any

import pymc as pm

from comparisons.catalogue import linkage
from models.inputs import Floats
from tests.comparisons.test_pairs import HEADS, problem, two_coins


def test_a_program_is_told_with_the_numbers_of_its_prior() -> None:
    def program(heads: Any) -> pm.Model:
        with pm.Model() as model:
            p = pm.Beta("p", [1.5, 2], 3, shape=2)
            w = pm.Dirichlet("w", [2, 4])
            pm.Gamma("rate", 2, 5.0)
            pm.Mixture("heads", w=w, comp_dists=pm.Binomial.dist(n=10, p=p), observed=heads)
        return model

    def with_rate(**values: Any) -> dict[str, Floats]:
        return {**two_coins().em_step(values["p"], values["w"], values["heads"]), "rate": values["rate"]}  # type: ignore[misc]

    told = problem(
        two_coins(
            model=program,
            em_step=lambda p, w, rate, heads: with_rate(p=p, w=w, rate=rate, heads=heads),
            exchangeable=(),
        ),
        HEADS,
    ).in_words()
    assert told.prior == ["p ~ Beta([1.5, 2], 3)", "w ~ Dirichlet([2, 4])", "rate ~ Gamma(2, scale 0.2)"]
    assert told.formula == ["heads ~ Mixture(w, Binomial(10, p))"]
    assert problem(linkage.LINKAGE).in_words().formula[1] == "observed_animals = Data([125, 18, 20, 34])"
