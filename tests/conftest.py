"""Options of the tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

from comparisons.settings import SINGLE_THREADED

# Tests run on every core; threads of linear algebra beside them would wait for each other.
for name in SINGLE_THREADED:
    os.environ.setdefault(name, "1")
# How long an example takes says nothing where others run beside it.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
# PyTensor looks at the stack for every variable that it makes, which takes a tenth of the time to make a graph.
os.environ.setdefault("PYTENSOR_FLAGS", "traceback__limit=0")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--pages",
        type=Path,
        metavar="DIR",
        help="a directory of results: tests/comparisons/report/test_every_page.py looks at each report there and at the index",
    )
