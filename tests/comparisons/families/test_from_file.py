"""Claims about families in files of their own: what is wrong in one is told before anything runs, with its line."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from comparisons import own
from comparisons.declaration import Comparison
from comparisons.families import from_file
from models.family import Family

FAMILY = """\
import pymc as pm
from scipy import stats
from models.family import Family, Gamma, Positive

exponentials = Family(
    "exponentials",
    data="minutes",
    parameters={"rates": Positive(prior=Gamma(2, 1))},
    scipy=lambda rates: stats.expon(scale=1 / rates),
    pymc=lambda rates: pm.Exponential.dist(lam=rates),
    m_step=lambda y, r, prior: {"rates": (r.sum(0) + prior.alpha - 1) / (r.T @ y + prior.beta)},
)
"""
WAITS = "minutes,n\n" + "".join(f"{wait:.3f},{1 + k % 2}\n" for k, wait in enumerate(np.geomspace(0.1, 30, 40)))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(FAMILY)
    (tmp_path / "waits.csv").write_text(WAITS)
    return tmp_path


def declared(**options: Any) -> own.Own[Comparison]:
    asked: dict[str, Any] = {"family": "mine.py:exponentials", "n_components": 2}
    return own.declared("waits.csv", **(asked | options))


def test_a_family_is_taken_from_its_file_with_the_column_that_it_names(folder: Path) -> None:
    asked = declared(counts="n")
    assert asked.command == (
        "comparisons run --data waits.csv --family mine.py:exponentials --column minutes --counts n --components 2"
    )
    (folder / "waits.csv").write_text(WAITS.replace("minutes", "w"))
    # The header is part of the title.
    renamed = declared(columns="w", counts="n").told
    assert renamed | {"texts": ()} == asked.told | {"texts": ()}
    with pytest.raises(
        ValueError, match=re.escape("waits.csv has w, n, none called as exponentials call theirs (minutes)")
    ):
        declared()


def test_the_file_decides_whether_a_result_is_used_again(folder: Path) -> None:
    before = own.key_of(declared())
    assert own.key_of(declared()) == before
    (folder / "mine.py").write_text(FAMILY + "\n# a remark\n")
    assert own.key_of(declared()) != before


def test_a_family_given_in_python_is_known_by_its_functions(folder: Path) -> None:
    first, second = (from_file.load("mine.py:exponentials", Family, "family") for _ in range(2))
    assert own.key_of(declared(family=first)) == own.key_of(declared(family=second)) == own.key_of(declared())
    assert declared(family=first).command.startswith(
        "comparisons.compare('waits.csv', family=Family(name='exponentials')"
    )


def test_a_toml_file_finds_the_family_beside_itself(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from comparisons import toml_files

    asked = declared(name="study")
    text = toml_files.template(asked, asked.asked)
    assert "covariance" not in text
    (folder / "study.toml").write_text(text)
    monkeypatch.chdir("/")
    assert own.key_of(own.declared(**toml_files.read(folder / "study.toml"))) == own.key_of(asked)


WRONG: dict[str, tuple[str, str, str]] = {
    "no file": ("", "other.py:exponentials", "family is 'other.py:exponentials', but there is no file other.py"),
    "no name": ("", "mine.py", "mine.py has exponentials; tell which, as mine.py:NAME"),
    "another name": (
        "", "mine.py:exponential",
        "no family called 'exponential'; did you mean mine.py:exponentials?",
    ),
    "no family": ("", "mine.py:stats", "no family called 'stats'; it has exponentials"),
    "an import": (
        "scipy import stats", "no_such_module import stats",
        "mine.py stops with ModuleNotFoundError: No module named",
    ),
    "a syntax error": ('data="minutes",', 'data="minutes', "mine.py stops with SyntaxError"),
    "an error": (
        "exponentials = ", "1 / 0\nexponentials = ",
        "mine.py stops with ZeroDivisionError: division by zero, in line 5 of",
    ),
    "an end": ("exponentials = ", "exit()\nexponentials = ", "mine.py stops with SystemExit"),
    "a function that raises": (
        "scale=1 / rates", "scale=1 / rate",
        "scipy of exponentials stops with NameError: name 'rate' is not defined, in line 9 of",
    ),
    "no distribution": (
        "stats.expon(scale=1 / rates)", "3",
        "scipy of exponentials stops with AttributeError: 'int' object has no",
    ),
    "an argument": ("scipy=lambda rates", "scipy=lambda rate, rates=1", "scipy of exponentials stops with TypeError"),
    "numbers alone": ("1 / rates)", "1 / float(rates))", "scipy of exponentials stops with TypeError: only"),
    "NaN": ("1 / rates)", "-1 / rates)", "the density of exponentials at minutes = 0.1 is NaN where rates = "),
    "impossible rows": (
        "expon(scale", "expon(loc=1, scale",
        "minutes = 0.1 has density 0 at all 100 draws from the prior of exponentials",
    ),
    "PyMC raises": ("pm.Exponential.", "pm.Exponentials.", "pymc of exponentials stops with AttributeError"),
    "an M-step that raises": (
        "prior.alpha", "prior.a",
        "m_step of exponentials stops with AttributeError: 'Gamma' object has no attribute 'a'",
    ),
    "an M-step of other names": (
        '{"rates": (r', '{"rate": (r',
        "m_step of exponentials gave {'rate': (2,)}; give rates, each of shape (2,)",
    ),
    "an M-step of another shape": ("(r.sum(0)", "(r.sum()", "m_step of exponentials gave"),
    "a scale for a rate": ("lam=rates", "lam=1 / rates", "what scipy calls 1 / rates is rates in pymc"),
    "an M-step without the prior": ("+ prior.alpha - 1", "", "m_step of exponentials is no maximum with the prior"),
}  # fmt: skip


@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_family_is_told_before_anything_runs(kind: str, folder: Path) -> None:
    old, new, told = WRONG[kind]
    if old:
        assert old in FAMILY
        (folder / "mine.py").write_text(FAMILY.replace(old, new))
    family = "mine.py:exponentials" if old else new
    if kind == "an M-step of another shape":
        (folder / "mine.py").write_text(
            FAMILY.replace("(r.T @ y + prior.beta)", "(r.T @ y).sum()").replace("(r.sum(0)", "(r.sum()")
        )
    with pytest.raises(ValueError, match=re.escape(told)) as refused:
        declared(family=family)
    assert str(refused.value).count("\n") < 3
