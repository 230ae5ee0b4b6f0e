"""A fit that takes long says so, and no other."""

from __future__ import annotations

import re

import numpy as np
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
