"""A mixture of two normals with an EM by hand, which audits are tried on; and parts of it put wrongly."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pymc as pm
from scipy import stats

import comparisons
from comparisons.auditing.record import Audit
from comparisons.pair import Pair
from models.inputs import Floats

Y = np.concatenate(
    [stats.norm(0, 1).ppf((np.arange(15) + 0.5) / 15), stats.norm(3, 0.7).ppf((np.arange(25) + 0.5) / 25)]
)
START = {"w": [0.45, 0.55], "mu": [0.5, 2.5], "sigma": [1.2, 0.9]}
Values = dict[str, Any]


def program(y: Floats) -> pm.Model:
    with pm.Model() as model:
        w = pm.Dirichlet("w", np.full(2, 3.0))
        mu = pm.Normal("mu", np.float64(1), np.float64(2), shape=2)
        sigma = pm.Gamma("sigma", np.float64(2), np.float64(1), shape=2)
        pm.NormalMixture("y", w=w, mu=mu, sigma=sigma, observed=y)
    return model


def joint(w: Floats, mu: Floats, sigma: Floats, y: Floats) -> Floats:
    return np.asarray(w * stats.norm.pdf(y[:, None], mu, sigma))


def e_step(w: Floats, mu: Floats, sigma: Floats, y: Floats) -> Floats:
    p = joint(w, mu, sigma, y)
    return np.asarray(p / p.sum(axis=1, keepdims=True))


def m_step(r: Floats, y: Floats) -> Values:
    n = r.sum(axis=0)
    mu = y @ r / n
    return {"w": n / n.sum(), "mu": mu, "sigma": np.sqrt((r * (y[:, None] - mu) ** 2).sum(axis=0) / n)}


def log_likelihood(w: Floats, mu: Floats, sigma: Floats, y: Floats) -> float:
    return float(np.log(joint(w, mu, sigma, y).sum(axis=1)).sum())


NORMALS = Pair(
    model=program, log_likelihood=log_likelihood, e_step=e_step, m_step=m_step, start=START, data=Y, name="normals"
)


def audit(pair: Pair = NORMALS, **parts: Any) -> Audit:
    return comparisons.audit(dataclasses.replace(pair, **parts))


def changed(**new: Callable[[Floats, Floats, Values], Any]) -> Callable[[Floats, Floats], Values]:
    """The M-step with some parameters by another formula, of responsibilities, rows and what is right."""

    def step(r: Floats, y: Floats) -> Values:
        right = m_step(r, y)
        return right | {name: formula(r, y, right) for name, formula in new.items()}

    return step


# One function in place of two.
WHOLE: dict[str, Any] = {"e_step": None, "m_step": None}


def whole(e: Callable[..., Floats] = e_step, m: Callable[..., Values] = m_step) -> dict[str, Any]:
    return {**WHOLE, "em_step": lambda w, mu, sigma, y: m(e(w, mu, sigma, y), y)}
