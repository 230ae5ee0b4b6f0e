"""Claims about fits in files: what is read is what was written, in every number, and what is no fit says so."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import dask.array
import numpy as np
import pandas as pd
import pytest

import em
from comparisons.datasets import load
from models import CoinTosses
from models.family import Family
from tests.fits import FITS, OWN, Fitted

FILE = "fit.json"
WITHHELD = em.coin_mixture(CoinTosses([0, 0, 10], 10), 2)
# Every kind of end, of rows, and of what stands in a fit.
OTHERS: dict[str, tuple[em.Fit[Any, Any], Any]] = {
    "at a bound": (WITHHELD, CoinTosses([0, 3, 10], 10)),
    "doubted": (em.gaussian_mixture(load("galaxies").columns["velocity_km_s"], 4), [9000.0, 20000.0]),
    "held": (em.gaussian_mixture([1.0, 2.0, 4.0, 9.0], 2, "tied", [0.3, 0.7]), [2.0, 8.0]),
    "one": (em.gaussian_mixture([1.0, 2.0, 4.0, 9.0], 1), [2.0, 8.0]),
    "collapsed": (em.gaussian_mixture([1.0, 1.0, 1.0, 4.0, 9.0], 2), [2.0, 8.0]),
    "by Nelder-Mead": (em.gaussian_mixture([1.0, 2.0, 4.0, 9.0], 1, method="nelder-mead"), [2.0, 8.0]),
    "in chunks": (
        em.gaussian_mixture(dask.array.from_array(np.random.default_rng(2).normal(size=(4000, 2)), chunks=(999, 2)), 1),
        [[1.0, 2.0]],
    ),
}
FAMILIES = {name: (each.fit, each.rows) for name, each in FITS.items()}
every_fit = pytest.mark.parametrize(("fit", "rows"), (FAMILIES | OTHERS).values(), ids=[*FAMILIES, *OTHERS])


def read(fit: em.Fit[Any, Any], folder: Path) -> em.Fit[Any, Any]:
    fit.write(folder / FILE)
    return em.read_fit(folder / FILE, OWN if fit is FITS["own"].fit else None)


def public(value: Any) -> Any:
    """The value as lists and dictionaries of all its public fields; of arrays the bytes."""
    if isinstance(value, np.ndarray):
        return value.shape, np.ascontiguousarray(value, dtype=float).tobytes()
    if is_dataclass(value):
        return {each.name: public(getattr(value, each.name)) for each in fields(value) if not each.name.startswith("_")}
    if isinstance(value, float):
        return repr(value)
    return [public(each) for each in value] if isinstance(value, tuple) else value


@every_fit
def test_what_is_read_is_what_was_written(fit: em.Fit[Any, Any], rows: Any, tmp_path: Path) -> None:
    again = read(fit, tmp_path)
    for each in fields(fit):
        if each.name not in ("_mixture", "path"):
            assert public(getattr(again, each.name)) == public(getattr(fit, each.name)), each.name
    assert again == fit
    assert hash(again) == hash(fit)
    assert again != replace(fit, log_likelihood=fit.log_likelihood + 1e-9)
    assert [public(point) for point in again.path] == [public(point) for point in fit.path]
    pd.testing.assert_frame_equal(again.table, fit.table, rtol=0, atol=0)
    assert (again.aic, again.bic, repr(again), again._repr_html_()) == (fit.aic, fit.bic, repr(fit), fit._repr_html_())
    for name in ("responsibilities", "predict", "score_rows"):
        assert public(getattr(again, name)(rows)) == public(getattr(fit, name)(rows)), name
    if fit.status != "collapsed":
        assert public(again.simulate(99, 5)) == public(fit.simulate(99, 5))
    again.write(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == (tmp_path / FILE).read_bytes()


def test_a_table_goes_by_its_names_after_reading_too(tmp_path: Path) -> None:
    fitted = FITS["gaussians"]
    again = read(fitted.fit, tmp_path)
    turned = pd.DataFrame(fitted.rows.y, columns=fitted.rows.features)[["wait", "long, wide"]].assign(
        z=fitted.rows.labels
    )
    np.testing.assert_array_equal(again.score_rows(turned), fitted.fit.score_rows(fitted.rows))
    with pytest.raises(ValueError, match="the table has no column 'wait', which is needed; the nearest is 'Wait'"):
        again.predict(turned.rename(columns={"wait": "Wait"}))


@pytest.mark.parametrize("fitted", FITS.values(), ids=FITS)
def test_what_needs_the_rows_that_were_fitted_says_so(fitted: Fitted, tmp_path: Path) -> None:
    again = read(fitted.fit, tmp_path)
    needing: list[Any] = [
        lambda: em.profile_interval(again, "weights[1]"),
        lambda: em.sandwich(again),
        lambda: em.bootstrap(again, 1),
    ]
    for of in needing:
        with pytest.raises(
            ValueError, match=r"read from a file, which has no rows; fit them again, with start=fit\.param"
        ):
            of()


def numbers(value: Any) -> Iterator[float]:
    """All that stand in a JSON value."""
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from numbers(inner)
    elif isinstance(value, float):
        yield value


@every_fit
def test_the_file_is_strict_json_without_the_rows(fit: em.Fit[Any, Any], rows: Any, tmp_path: Path) -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    fit.write(tmp_path / FILE)
    assert [path.name for path in tmp_path.iterdir()] == [FILE]
    told = set(numbers(json.loads((tmp_path / FILE).read_text(), parse_constant=refuse)))
    if fit is FITS["gaussians"].fit:
        assert not told & set(FITS["gaussians"].rows.y.ravel().tolist())


def test_a_file_that_is_no_fit_says_so(tmp_path: Path) -> None:
    path = tmp_path / FILE
    WITHHELD.write(path)
    whole = path.read_text()
    for text in (whole[:400], "", "[1]", "{}", "null", "\0"):
        path.write_text(text)
        with pytest.raises(ValueError, match=r"fit\.json is no fit.*; write one with fit\.write\(path\)"):
            em.read_fit(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match="is no fit"):
        em.read_fit(path)
    path.write_text(whole.replace('"version": 1', '"version": 7'))
    with pytest.raises(ValueError, match="is of version 7, and this program of 1; fit again"):
        em.read_fit(path)
    record = json.loads(whole)
    record["fit"]["trace"][-1] += 1e-9
    path.write_text(json.dumps(record))
    with pytest.raises(ValueError, match="was changed after it was written"):
        em.read_fit(path)
    path.write_text(json.dumps(json.loads(whole), indent=2))
    assert em.read_fit(path).status == WITHHELD.status, "another layout is no change"
    with pytest.raises(FileNotFoundError):
        em.read_fit(tmp_path / "nowhere.json")
    with pytest.raises(OSError, match="nowhere"):
        WITHHELD.write(tmp_path / "nowhere" / FILE)


def test_a_family_of_ones_own_is_given_again(tmp_path: Path) -> None:
    path = tmp_path / FILE
    FITS["own"].fit.write(path)
    with pytest.raises(
        ValueError, match=r"is a fit of the family own normals; give it: em\.read_fit\(path, family=\.\.\.\)"
    ):
        em.read_fit(path)
    renamed = Family("own normals", "y", {"centres": OWN.parameters["means"]}, OWN.scipy, OWN.pymc)
    with pytest.raises(ValueError, match=r"with centres but .* is a fit of own normals with means, sds"):
        em.read_fit(path, renamed)
    with pytest.raises(TypeError, match="family must be"):
        em.read_fit(path, "own normals")  # type: ignore[arg-type]
    WITHHELD.write(path)
    with pytest.raises(ValueError, match=r"family is given but .* is a fit of coins; leave it out"):
        em.read_fit(path, OWN)
