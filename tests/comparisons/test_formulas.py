"""Claims about own data whose columns a formula names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import comparisons
from comparisons import families, own, toml_files
from comparisons.datasets import load
from comparisons.missing_rows import MissingCells
from comparisons.quantity_names import in_prose
from tests.regression_rows import crossing

FORMULA = "y ~ x + C(group)"


def written(path: Path, *, gap: bool = False, other: str = "3") -> Path:
    """A file of lines that cross, its groups called by number, all but some; with a gap in line 3."""
    rows = crossing()
    groups = ["1", "2", other]
    lines = [f"{y:.6f},{x:.6f},{groups[k % 3]}" for k, (y, x) in enumerate(zip(rows.y, rows.design[:, 1], strict=True))]
    if gap:
        lines[1] = lines[1].rpartition(",")[0] + ","
    path.write_text("\n".join(["y (s),x (cm),group", *lines]))
    return path


def test_a_formula_is_asked_for_alike_in_python_by_command_and_in_a_file(tmp_path: Path) -> None:
    asked = own.declared(written(tmp_path / "lines.csv"), n_components=2, formula=FORMULA, name="study")
    assert asked.comparison.features == ("y", "x", "C(group)[T.2]", "C(group)[T.3]")
    assert asked.comparison.units == {"y": "s", "x": "cm"}
    assert asked.told["family"] == "regressions"
    assert asked.command.endswith(f"--family regressions --formula '{FORMULA}' --components 2 --name study")
    path = tmp_path / "study.toml"
    path.write_text(toml_files.template(asked, asked.asked | {"data": "lines.csv"}))
    assert own.declared(**toml_files.read(path)).told == asked.told
    assert own.declared(tmp_path / "lines.csv", n_components=2, formula="y ~ x", name="study").told != asked.told


def test_quantities_have_the_names_of_the_design_and_read_naturally(tmp_path: Path) -> None:
    asked = own.declared(written(tmp_path / "lines.csv"), n_components=2, formula=FORMULA)
    problem = families.problem(asked.comparison, asked.comparison.data(asked.dataset))
    told = {in_prose(name) for name in problem.quantities(problem.arrays(problem.fit(None).parameters))}
    assert {
        "intercept of component 1",
        "slope for x in component 2",
        "slope for “C(group)[T.3]” in component 1",
    } <= told


def test_words_are_categories_and_cells_that_are_missing_are_told_of_first(tmp_path: Path) -> None:
    path = written(tmp_path / "lines.csv", gap=True, other="none of them")
    with pytest.raises(MissingCells, match="column 'group' has 1 missing value, the first in line 3"):
        own.declared(path, n_components=2, formula=FORMULA)
    kept = own.declared(path, n_components=2, formula=FORMULA, missing="drop")
    rows = kept.comparison.data(kept.dataset)
    assert rows.covariates == ("intercept", "x", "C(group)[T.2]", "C(group)[T.none of them]")
    assert rows.n == crossing().n - 1
    # What stands in no term may be missing.
    assert own.declared(path, n_components=2, formula="y ~ x").told["dropped"] == 0
    with pytest.raises(ValueError, match="column 'group' is not numeric: it has 'none of them' in line 4"):
        own.declared(path, n_components=2, formula="y ~ group", missing="drop")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"formula": "y ~ log(x - 9)"}, "formula in line 2 of lines.csv is nan in log(x - 9), where y is "),
        ({"formula": "y ~ xx"}, "formula is 'y ~ xx', where 'xx' is no column; did you mean 'x'?"),
        ({"formula": "y ~ x", "columns": ["y", "x"]}, "which names the columns already; leave columns out (--column)"),
        ({"formula": "y ~ x", "family": "coins"}, "formula is 'y ~ x' but coins have none; leave it out"),
        ({"formula": "1"}, "formula is '1', which names no column of lines.csv"),
        ({"formula": "y ~ x + I(2 * x)"}, "column 'I(2 * x)' of lines.csv is a linear combination of intercept, x"),
        ({"formula": "y ~ x", "missing": "marginal"}, "rows of regressions have no density of their other cells"),
    ],
)
def test_a_formula_that_does_not_fit_is_refused_before_anything_runs(
    options: dict[str, Any], told: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011 (what is told is the claim)
        own.declared(written(tmp_path / "lines.csv"), n_components=2, **options)
    assert told in str(refused.value)


def test_families_that_have_formulas_are_those_that_take_them() -> None:
    for family in families.FAMILIES.values():
        if not family.formulas:
            with pytest.raises(ValueError, match=f"{family.name} have none"):
                family.named_in("y ~ x", ["y", "x"])


@pytest.mark.sampling
@pytest.mark.long
def test_regressions_are_compared_with_a_report(tmp_path: Path) -> None:
    columns = load("tone_perception").columns
    half = {name: np.asarray(columns[name])[::2] for name in ("tuned", "stretchratio")}
    formula = "tuned ~ center(stretchratio)"
    result = comparisons.compare(half, formula=formula, n_components=2, out=tmp_path, name="tones", draws=500)
    assert len(result.checks) == 9
    assert {check.outcome for check in result.checks} == {"pass"}, [c.explanation for c in result.checks]
    assert result.verdict in ("agree", "differ")
    means: dict[str, Any] = {q.name: q.mean for q in result.quantities}
    # Cohen's two theories: one line that stays near the octave, and one that follows the overtones with a slope of 1.
    slopes = sorted(means[f"coefficients[{k}, center(stretchratio)]"] for k in (1, 2))
    assert abs(slopes[0]) < 0.5 < slopes[1] < 1.2
    page = (tmp_path / "tones" / "report.html").read_text(encoding="utf-8")
    assert "slope for “center(stretchratio)” in component 1" in page or "slopes for “center(stretchratio)”" in page
