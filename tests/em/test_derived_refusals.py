"""Claims about what no EM is derived from: each is refused with the reason and what to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest

import comparisons
import em
from em.derived import groups
from tests import pymc_programs as programs


def _refused(make: Callable[[], Any]) -> pm.Model:
    with pm.Model() as model:
        make()
    return model


def _chain() -> None:
    z = pm.Bernoulli("z", 0.4, shape=20)
    a = pm.Normal("a", 0, 1)
    pm.Normal("y", a * (z[1:] + z[:-1]), 1, observed=np.zeros(19))


def _missing() -> None:
    w, mu = pm.Dirichlet("w", [1, 1]), pm.Normal("mu", 0, 1, shape=2)
    pm.NormalMixture("y", w, mu, sigma=1, observed=np.ma.masked_invalid([0.1, np.nan, 2.0]))


def _none_explicit() -> None:
    pm.NormalMixture("y", pm.Dirichlet("w", [1, 1]), pm.Normal("mu", 0, 1, shape=2), sigma=1, observed=[0.1, 2.0])


def _scan() -> None:
    a = pm.Normal("a", 0, 1)
    path = pytensor.scan(lambda before: before * a, outputs_info=pt.ones(()), n_steps=3, return_updates=False)
    pm.NormalMixture("y", [0.5, 0.5], mu=pt.stack([path[-1], 0.0]), sigma=1, observed=[0.1, 1])


def _spike() -> None:
    z = pm.Bernoulli("z", 0.5, shape=3)
    b = pm.Normal("b", 0, pm.math.switch(z, 3, 0.1), shape=3)
    pm.Normal("y", b, 1, observed=np.zeros(3))


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "nothing is observed": (
        lambda: (pm.Normal("a"), pm.Bernoulli("z", 0.5)),
        "model has nothing observed; give its data as observed=",
    ),
    "nothing is latent": (
        lambda: pm.Normal("y", pm.Normal("a"), 1, observed=[0.1]),
        "no discrete latent variable and no pm.Mixture.*comparisons.Pair",
    ),
    "states that do not end": (
        lambda: pm.Normal("y", pm.Poisson("z", 3, shape=2) * pm.Normal("a"), 1, observed=[0.1, 1]),
        "z is of the kind Poisson, whose states are not listed.*pm.Categorical",
    ),
    "bounds that are parameters": (
        lambda: pm.Normal("y", pm.DiscreteUniform("z", 0, pm.math.round(pm.Exponential("a", 1))), 1, observed=[0.1]),
        "bounds of z are not the same numbers.*fixed bounds",
    ),
    "a chain": (_chain, "20 entries of z hang on each other and have 1.05e.06 joint states.*4096"),
    "a size": (
        lambda: pm.Normal("y", pm.Normal("a") + pt.arange(pm.DiscreteUniform("z", 1, 3)).sum(), 1, observed=[0.1]),
        "z sizes another one of which y is made.*largest size",
    ),
    "a potential": (
        lambda: (
            pm.NormalMixture("y", [0.5, 0.5], pm.Normal("mu", shape=2), observed=[0.1]),
            pm.Potential("extra", pt.constant(0.0)),
        ),
        "potential extra.*write another one as a variable",
    ),
    "missing values": (_missing, "y has missing values.*leave these rows out"),
    "a prior that hangs on it": (_spike, "density of the parameter b hangs on a latent variable.*sample the program"),
    "a minibatch": (
        lambda: pm.NormalMixture(
            "y", [0.5, 0.5], pm.Normal("mu", shape=2), observed=pm.Minibatch(np.zeros(8), batch_size=2), total_size=8
        ),
        "y is of a minibatch.*all rows",
    ),
    "a scan": (_scan, "y is made by a scan, whose steps hang on each other.*comparisons.Pair"),
    "no parameter": (
        lambda: pm.Normal("y", pm.Bernoulli("z", 0.5, shape=2), 1, observed=[0.1, 1]),
        "no continuous free variable",
    ),
    "a domain that is not known": (
        lambda: pm.NormalMixture(
            "y", [0.5, 0.5], pm.Normal("mu", shape=2, transform=pm.distributions.transforms.circular), observed=[0.1]
        ),
        "mu has the transform",
    ),
}


@pytest.mark.filterwarnings("ignore:Data in y contains missing")
@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_derived_is_refused_with_a_reason(what: str) -> None:
    make, message = REFUSED[what]
    with pytest.raises(ValueError, match=f"(?s){message}"):
        em.derive(_refused(make))


def test_a_density_whose_derivative_is_no_number_is_refused() -> None:
    with pm.Model() as model:
        rate = pm.Gamma("rate", 2, 1)
        z = pm.Bernoulli("z", pm.Beta("share", 1, 1), shape=4)
        pm.Normal("y", 0, 1 + pt.sqrt(z * rate), observed=[0, 0, 2, 3])
    with pytest.raises(ValueError, match=r"derivatives are not.*pm.math.switch"):
        em.derive(model, compiled=False).fit()


def _never_seen() -> None:
    pm.Mixture("y", pm.Dirichlet("w", [1, 1]), pm.Bernoulli.dist(pm.Beta("p", 1, 1, shape=2)), observed=[2, 0])


def test_data_that_no_parameters_give_a_density_are_refused() -> None:
    never = em.derive(_refused(_never_seen), compiled=False)
    with pytest.raises(ValueError, match="the data have no density at any start; give start="):
        never.fit()
    with pytest.raises(ValueError, match="the data have no density at the start; give another one"):
        never.fit(start={"w": [0.5, 0.5], "p": [0.2, 0.3]})


def test_what_cannot_be_derived_is_not_compared() -> None:
    for what in ("nothing is latent", "a chain"):
        make, message = REFUSED[what]
        with pytest.raises(ValueError, match=f"(?s){message}"):
            comparisons.compare(_refused(make), name="mine")
    with pytest.raises(ValueError, match="latent is 'z', but model has no discrete free variable; name those"):
        em.derive(_refused(_none_explicit), latent="z")


def test_a_density_without_second_derivatives_is_refused() -> None:
    with pm.Model() as model:
        z = pm.Categorical("z", pm.Dirichlet("w", [1, 1]), shape=4)
        wait = pm.Gamma.dist(pm.Gamma("shapes", 2, 1, shape=2)[z], 1)
        pm.Censored("y", wait, lower=None, upper=[3, np.inf, np.inf, np.inf], observed=[3, 1, 2, 0.5])
    start = {"w": [0.5, 0.5], "shapes": [1.0, 2.0]}
    with pytest.raises(ValueError, match=r"no second derivatives of the log density.*comparisons.Pair"):
        em.derive(model, compiled=False).fit(start=start, max_iterations=1)


def test_tables_that_are_too_large_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(groups, "MOST_NUMBERS", 1000)
    with pytest.raises(ValueError, match=r"111 joint states of 112 densities are more than 1e\+03 numbers"):
        em.derive(programs.change_point(programs.DISASTERS))


def test_groups_that_miss_what_hangs_together_are_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    right = groups._decoded

    def blind(latents: Any, number: int, column: Any, terms: Any, random: Any) -> Any:
        place, several = right(latents, number, column, terms, random)
        # The data's entries are said to hang on nothing.
        return np.where(np.arange(len(place)) < len(column), place, -1), several

    monkeypatch.setattr(groups, "_decoded", blind)
    with pytest.raises(ValueError, match="hangs on latent variables in a way that their changes do not show"):
        em.derive(programs.outliers(*programs.line()))


def _two_means(rows: Any = (0, 0.3, 0.1, 3, 3.3, 2.9)) -> pm.Model:
    with pm.Model() as model:
        mu = pm.Normal("mu", [0, 3], 2.0, shape=2)
        z = pm.Bernoulli("z", 0.4, shape=len(rows))
        pm.Normal("y", mu[z], 1.0, observed=np.array(rows, dtype=float))
    return model


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"latent": 3}, "latent is 3; give the name of a variable, a list of names, or None for all"),
        ({"latent": []}, r"latent is \[\]; give the name"),
        ({"latent": ["z", "z"]}, "has a name twice; name each variable once"),
        ({"compiled": "no"}, "compiled is 'no'; give True or False"),
    ],
)
def test_what_is_asked_wrongly_is_told(asked: dict[str, Any], told: str) -> None:
    with pytest.raises((TypeError, ValueError), match=told):
        em.derive(_two_means(), **asked)


def test_data_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="y is observed with values that are no finite numbers; leave these rows out"):
        em.derive(_two_means((0, np.inf, 3)), compiled=False)


def test_a_fit_and_a_step_name_what_they_were_given_wrongly() -> None:
    derived = em.derive(_two_means(), compiled=False)
    refused = pytest.raises((TypeError, ValueError), match=r"prior is 'no'; give True or False")
    with refused:
        derived.fit(prior="no")  # type: ignore[arg-type]
    for start, told in (
        (3, "parameters are 3; give a mapping with mu"),
        ({}, "parameters are none; the program has mu"),
        ({"mu": ["a", "b"]}, r"mu is \['a', 'b'\]; give numbers of shape \(2,\)"),
        ({"mu": [[1], [1, 2]]}, r"mu is \[\[1\], \[1, 2\]\]; give numbers of shape \(2,\)"),
    ):
        with pytest.raises((TypeError, ValueError), match=told):
            derived.fit(start=start)  # type: ignore[arg-type]
    for shares, told in (
        (None, "shares are NoneType; give a list of arrays of the shapes"),
        ([np.ones((2, 5)) / 2], r"shares are \(2, 5\); give a list of arrays of the shapes \(2, 6\)"),
        ([np.full((2, 6), np.nan)], "negative or no numbers"),
    ):
        with pytest.raises(ValueError, match=told):
            derived.m_step(shares, {"mu": [0, 3]})  # type: ignore[arg-type]
