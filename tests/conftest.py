"""Options of the tests."""

from __future__ import annotations

from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--pages",
        type=Path,
        metavar="DIR",
        help="a directory of results: tests/comparisons/report/test_every_page.py looks at each report there and at the index",
    )
