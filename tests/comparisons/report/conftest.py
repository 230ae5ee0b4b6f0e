"""Reports of all results that a report must be able to tell, written once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from comparisons.report import write_index, write_report
from comparisons.results import store
from tests.browser_pages import CHROMIUM
from tests.report_pages import RESULTS

if TYPE_CHECKING:
    from playwright.sync_api import Browser


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


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip(
            "NO BROWSER: no figure of a report was tried in one; install Chromium, as `apt-get install chromium` does"
        )
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()
