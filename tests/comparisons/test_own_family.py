"""A family of one's own goes through a whole comparison: what is written is all of it."""

from pathlib import Path

import numpy as np
import pymc as pm
import pytest
from scipy import stats

import comparisons
from models.family import Family, Gamma, Positive

exponentials = Family(
    "exponentials",
    data="y",
    parameters={"rates": Positive(prior=Gamma(2, 1))},
    scipy=lambda rates: stats.expon(scale=1 / rates),
    pymc=lambda rates: pm.Exponential.dist(lam=rates),
    m_step=lambda y, r, prior: {"rates": (r.sum(0) + prior.alpha - 1) / (r.T @ y + prior.beta)},
)


@pytest.mark.sampling
def test_it_is_compared_with_a_report(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    waits = np.concatenate([random.exponential(1, 60), random.exponential(8, 60)])
    result = comparisons.compare(waits, family=exponentials, n_components=2, out=tmp_path, name="waits", draws=500)
    assert len(result.checks) == 9
    assert {check.outcome for check in result.checks} == {"pass"}
    assert [q.name for q in result.quantities] == ["weights[1]", "weights[2]", "rates[1]", "rates[2]"]
    page = (tmp_path / "waits" / "report.html").read_text()
    assert "y[i] | z[i] = k ~ exponentials(rates[k])" in page
    assert "No study of simulated data has been published for the family exponentials" in page
