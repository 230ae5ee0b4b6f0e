"""A fit that takes long says so, and no other."""

from __future__ import annotations

import re

import numpy as np
import pymc as pm
import pytest

import em
from models import GaussianParameters
from tests.stored_rows import CENTRES, Y

TWO = GaussianParameters([0.5, 0.5], CENTRES[1:], [100 * np.eye(2)] * 2)


def test_only_a_long_fit_says_how_far_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    em.gaussian_mixture(Y[:300], 2, start=TWO)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("em.progress.LONG", 0.0)
    fit = em.gaussian_mixture(Y[:300], 2, start=TWO)
    told = capsys.readouterr()
    assert told.out == ""
    assert re.fullmatch(r"EM for 0 s: step 1, over 300 rows, log-likelihood -\d+\.\d{6}\n", told.err)
    em.profile_interval(fit, "weights[1]")  # of a fit that has ended nothing more is told
    em.gaussian_mixture(Y[:300], 2, start=TWO, progress=False)
    assert capsys.readouterr().err == ""


def test_a_long_derivation_and_a_long_derived_fit_say_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pm.Model() as model:
        mu = pm.Normal("mu", [0, 3], 2.0, shape=2)
        z = pm.Bernoulli("z", 0.4, shape=6)
        pm.Normal("y", mu[z], 1.0, observed=np.array([0, 0.3, 0.1, 3, 3.3, 2.9]))
    em.derive(model, compiled=False).fit()
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("em.progress.LONG", 0.0)
    derived = em.derive(model, compiled=False)
    assert capsys.readouterr().err.startswith("em.derive: the densities of the program are being compiled")
    derived.fit(start={"mu": [0, 3]})
    assert re.fullmatch(r"EM for 0 s: step 1, over 6 rows, log-likelihood -\d+\.\d{6}\n", capsys.readouterr().err)
    derived.fit(start={"mu": [0, 3]}, progress=False)
    assert capsys.readouterr().err == ""
