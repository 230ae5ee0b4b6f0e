"""The pages in docs/ are true: their Python gives what comments say, their commands work, and tables are up to date."""

from __future__ import annotations

import inspect
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import comparisons
from comparisons import own
from comparisons.command.command_line import main

ROOT = Path(__file__).parent.parent
MINE = (ROOT / "docs" / "a-family-of-my-own.md").read_text(encoding="utf-8")


def blocks(page: str, language: str) -> list[str]:
    found = re.findall(r"^```(\w*)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    return [block for of, block in found if of == language]


def test_a_family_of_my_own_is_as_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(ROOT)
    python, scope = blocks(MINE, "python"), dict[str, Any]()
    for block in python:
        exec(compile(block, "a-family-of-my-own.md", "exec"), scope)
    passed, failed = capsys.readouterr().out.splitlines()
    assert f"# {passed}\n" in MINE
    assert failed.endswith(re.search(r"# \.\.\. (.*)\n", MINE)[1])  # type: ignore[index]
    fit = scope["fit"]
    assert f"fit.log_likelihood  # {fit.log_likelihood:.4f}\n" in MINE
    told = ", ".join(f"{error:.3f}" for error in fit.standard_errors.shapes)
    assert f"fit.standard_errors.shapes  # ({told})\n" in MINE

    # The command and the call have the options that there are, and find the family.
    (tmp_path / "mine.py").write_text(python[0])
    np.savetxt(tmp_path / "waits.csv", scope["waits"], header="waiting", comments="")
    monkeypatch.chdir(tmp_path)
    command, call = blocks(MINE, "")
    _, _, *options = shlex.split(command)
    given = dict(zip(options[::2], options[1::2], strict=True))
    asked = own.declared(given["--data"], given["--family"], int(given["--components"]))
    assert asked.command.replace(" --column waiting", "") == command.strip()
    assert set(re.findall(r"(\w+)=", call)) <= set(inspect.signature(comparisons.compare).parameters)


def test_the_files_that_it_points_to_are_there() -> None:
    pages = [*(ROOT / "docs").glob("*a-family*.md"), ROOT / "README.md"]
    for page in pages:
        for path in re.findall(
            r"`((?:examples|models|em|comparisons|tests|docs)/[\w/.-]+\.\w+)`", page.read_text(encoding="utf-8")
        ):
            assert (ROOT / path).exists(), f"{page.name} points to {path}"
        for path in re.findall(r"\]\(([\w/.-]+\.md)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / path).exists(), f"{page.name} points to {path}"


def test_the_table_of_families_is_that_of_the_code() -> None:
    written = CliRunner().invoke(main, ["families", "--markdown"]).stdout
    table = (ROOT / "docs" / "families.md").read_text(encoding="utf-8")
    assert table == written, "write it again: comparisons families --markdown > docs/families.md"


def test_the_difference_that_a_family_makes_is_as_told() -> None:
    page = (ROOT / "docs" / "add-a-family.md").read_text(encoding="utf-8")
    told = [line for block in blocks(page, "") for line in block.splitlines()]
    commands, files = [t for t in told if t.startswith("$ ")], {t for t in told if not t.startswith("$ ")}
    printed = set()
    for command in commands:
        done = subprocess.run(command[2:], cwd=ROOT, shell=True, capture_output=True, text=True, check=True)
        printed |= set(done.stdout.splitlines())
    assert files == printed
