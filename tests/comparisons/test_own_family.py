"""A family of one's own goes through a whole comparison: what is written is all of it."""

from pathlib import Path

import pytest

import comparisons
from comparisons.datasets import load
from comparisons.families import from_file
from models.family import Family

WEIBULLS = from_file.load(f"{Path(__file__).parents[2] / 'examples' / 'weibulls.py'}:weibulls", Family, "family")


@pytest.mark.sampling
@pytest.mark.long
def test_it_is_compared_with_a_report(tmp_path: Path) -> None:
    waits = load("faithful").columns["waiting"]
    result = comparisons.compare(waits, family=WEIBULLS, n_components=2, out=tmp_path, name="waits", draws=500)
    assert len(result.checks) == 9
    assert {check.outcome for check in result.checks} == {"pass"}
    assert [q.name for q in result.quantities] == [f"{n}[{k}]" for n in ("weights", "scales", "shapes") for k in (1, 2)]
    page = (tmp_path / "waits" / "report.html").read_text()
    assert "waiting[i] | z[i] = k ~ weibulls(scales[k], shapes[k])" in page
    assert "No study of simulated data has been published for the family weibulls" in page
    assert "not studied for this family" in page
