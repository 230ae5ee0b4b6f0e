"""The pages in docs/ are true: their Python gives what comments say, their commands work, and tables are up to date.

What notebooks say they check themselves, where `make docs` executes them.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import json
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
from comparisons.pairs import own_chains

ROOT = Path(__file__).parent.parent
PAGES = [*(ROOT / "docs").glob("*.md"), ROOT / "README.md"]
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


def test_the_files_that_pages_point_to_are_there() -> None:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        paths = re.findall(r"`((?:examples|models|em|comparisons|tests|docs)/[\w/.-]+\.\w+)`", text)
        links = re.findall(r"\]\(([\w/.-]+)(?:#[\w-]+)?\)", text)
        for place in [*(ROOT / path for path in paths), *(page.parent / link for link in links)]:
            assert place.exists(), f"{page.name} points to {place}"


def test_every_page_is_in_the_site_and_linked_from_the_readme() -> None:
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    listed = {
        name for toctree in re.findall(r"^```{toctree}\n(.*?)^```$", index, re.M | re.S) for name in toctree.split()
    }
    pages = {page.stem for page in (ROOT / "docs").glob("*.md")} - {"index"}
    assert pages <= listed
    linked = set(re.findall(r"\]\(docs/([\w-]+)\.md\)", (ROOT / "README.md").read_text(encoding="utf-8")))
    # These two are filled by the build alone.
    assert linked == pages - {"api", "gallery"}


def test_rates_that_the_summary_tells_are_the_published_ones() -> None:
    page = (ROOT / "docs" / "how-the-verdict-is-judged.md").read_text(encoding="utf-8")
    published = json.loads((ROOT / "docs" / "calibration" / "rates.json").read_text(encoding="utf-8"))

    def told(rate: dict[str, float]) -> str:
        return f"{rate['count']} ({100 * rate['low']:.1f} to {100 * rate['high']:.1f} %)"

    rows = [
        f"| {each['family']} | {each['verdicts']['wrong']['of']} | {told(each['verdicts']['wrong'])} | "
        f"{told(each['verdicts']['inconclusive'])} |"
        for each in published["clean"]
    ]
    assert "\n".join(["|---|---|---|---|", *rows, ""]) in page
    planted = published["faults"]
    told_of_faults = (
        f"{planted['faults']} kinds of them in these families. They changed something in {planted['of']} "
        f"data sets: {planted['detected']} were found out, and {planted['named']} laid at the right engine."
    )
    assert told_of_faults in " ".join(page.split())
    assert "\n\n" + "".join(f"* {each}\n" for each in planted["missed"]) + "\n" in page


def test_from_python_runs_and_gives_the_numbers_of_its_comments(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    page = (ROOT / "docs" / "from-python.md").read_text(encoding="utf-8")
    (tmp_path / "comparisons").symlink_to(ROOT / "comparisons")
    monkeypatch.chdir(tmp_path)
    scope, compared = dict[str, Any](), 0
    for block in blocks(page, "python"):
        lines = block.splitlines()
        for statement in ast.parse(block).body:
            code = ast.unparse(statement)
            if not isinstance(statement, ast.Expr):
                exec(code, scope)
                continue
            value, line = eval(code, scope), lines[(statement.end_lineno or 0) - 1]
            if told := re.search(r"  # \(([\d., ]+)\)", line):
                numbers = told[1].split(", ")
                got = [f"{each:.{len(number.partition('.')[2])}f}" for each, number in zip(value, numbers, strict=True)]
                assert got == numbers, line
                compared += 1
            elif told := re.search(r"  # (?:94%: )?([\d.]+) to ([\d.]+)", line):
                got = [
                    f"{end:.{len(number.partition('.')[2])}f}"
                    for end, number in zip((value.low, value.high), told.groups(), strict=True)
                ]
                assert got == list(told.groups()), line
                compared += 1
            elif told := re.search(r'  # "(\w+)"', line):
                assert value == told[1], line
                compared += 1
    assert compared == len(re.findall(r'  # (?:"|\(\d|94%|\d+\.\d)', page)) == 8


def told_of(block: str, scope: dict[str, Any]) -> int:
    """Run a block; how many of its expressions say in a comment what they are, which has to be so."""
    compared = 0
    for statement in ast.parse(block).body:
        line = block.splitlines()[(statement.end_lineno or 0) - 1]
        if not isinstance(statement, ast.Expr):
            exec(ast.unparse(statement), scope)
            continue
        value, told = eval(ast.unparse(statement), scope), line.partition("  # ")[2]
        if told:
            parts = told.strip("()").split(", ")
            got = [value] if isinstance(value, str) else list(value)
            for each, part in zip(got, parts, strict=True):
                word = f'"{each}"' if isinstance(each, str) else f"{each:.{len(part.partition('.')[2])}f}"
                assert word == part, line
            compared += 1
    return compared


def test_the_pairs_of_the_page_on_pymc_models_are_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    page = (ROOT / "docs" / "i-have-a-pymc-model.md").read_text(encoding="utf-8")
    scope, compared = dict[str, Any](), 0
    for block in blocks(page, "python"):
        if "em.derive" in block or "derived" in block:
            compared += told_of(block, scope)
        else:
            exec(compile(block, "i-have-a-pymc-model.md", "exec"), scope)
    assert compared == 7
    linkage = comparisons.audit(scope["linkage"])
    assert linkage.sound, str(linkage)
    constant = re.search(r"coefficient, ([\d.]+) nats", page)
    assert constant is not None
    assert any(constant[1] in told for told in linkage.looked_at)
    coins = comparisons.audit(scope["coins"])
    assert coins.sound, str(coins)
    both = comparisons.audit(dataclasses.replace(scope["linkage"], em_step=scope["em_step_for_both"]))
    assert both.sound, str(both)
    assert not any("prior" in told for told in both.not_looked_at)


def test_the_sequences_of_the_page_on_own_data_are_as_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    page = (ROOT / "docs" / "own-data.md").read_text(encoding="utf-8")
    section = page[page.index("## Sequences") : page.index("## From Python")]
    (table,), scope = blocks(section, "text"), dict[str, Any]()
    (tmp_path / "visits.csv").write_text(table)
    assert sum(told_of(block, scope) for block in blocks(section, "python")) == 3
    # The command, the call and the arrays are of the same rows, and so is the pair.
    monkeypatch.chdir(tmp_path)
    (command,) = blocks(section, "")
    words = shlex.split(command)
    roles = {"events": "seizures", "sequence": "patient"}
    asked = own_chains.declared(words[words.index("--data") + 1], "hidden-markov", 2, columns=roles)
    assert asked.command == command.strip()
    assert f"columns={json.dumps(roles)}" in section
    for name in ("y", "lengths"):
        told = getattr(asked.comparison.data(asked.dataset), name)
        np.testing.assert_array_equal(told, getattr(scope["visits"], name))
    found = comparisons.audit(scope["pair"])
    assert found.sound, str(found)


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
