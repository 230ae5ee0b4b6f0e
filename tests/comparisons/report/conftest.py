"""Reports of all results that a report must be able to tell, written once."""

from __future__ import annotations

from pathlib import Path

import pytest

from comparisons.report import write_index, write_report
from comparisons.results import store
from tests.report_pages import RESULTS


@pytest.fixture(scope="session")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("results")
    for name, make in RESULTS.items():
        store.write(make(), path / name)
        assert write_report(path / name) == path / name / "report.html"
    write_index(path, ["faithful-2d"])
    return path


@pytest.fixture(params=RESULTS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)
