"""Claims about what people go on with from a fit: of rows, of new data, in a table and in a notebook; of every family."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import dask.array
import dask.dataframe
import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

import em
from comparisons.datasets import load
from em.general import family_mixture
from models import CoinTosses, EventCounts, Measurements
from models.display import as_html
from models.family import Rows
from models.gaussians.covariances import Covariance
from tests.fits import FITS, Fitted
from tests.stored_rows import COUNTS, LABELS, TABLE, Y, mapped, parquet, start

each_family = pytest.mark.parametrize("fitted", FITS.values(), ids=FITS)


@each_family
def test_rows_have_the_log_likelihood_that_scipy_gives_them(fitted: Fitted) -> None:
    joint, labels = fitted.density() + np.log(fitted.fit.parameters.weights), fitted.rows.labels
    known = np.take_along_axis(joint, np.maximum(labels, 0)[:, None], axis=1)[:, 0]
    expected = np.where(labels < 0, special.logsumexp(joint, axis=1), known)
    scores = fitted.fit.score_rows(fitted.rows)
    np.testing.assert_allclose(scores, expected, rtol=1e-11)
    assert scores @ fitted.rows.counts == pytest.approx(fitted.fit.log_likelihood, rel=1e-11)


@each_family
def test_the_component_that_is_predicted_is_the_most_probable_and_may_be_given_as_label(fitted: Fitted) -> None:
    predicted = fitted.fit.predict(fitted.rows)
    assert predicted.dtype == np.int64
    np.testing.assert_array_equal(predicted, fitted.fit.responsibilities(fitted.rows).argmax(axis=1))
    known = fitted.rows.labels >= 0
    np.testing.assert_array_equal(predicted[known], fitted.rows.labels[known])
    assert set(predicted) == {0, 1}


def test_labels_that_are_predicted_name_the_same_components_when_they_are_given() -> None:
    y = FITS["gaussians"].rows.y
    predicted = em.gaussian_mixture(y, 2).predict(y)
    labelled = em.gaussian_mixture(y, 2, labels=predicted)
    for index in range(2):
        name = f"means[{index + 1}, 1]"
        assert labelled.table.loc[name, "estimate"] == pytest.approx(y[predicted == index, 0].mean(), rel=1e-12)


def test_a_row_that_cannot_be_is_of_no_component() -> None:
    fit = em.coin_mixture(CoinTosses([0, 0, 10], 10), 2)
    rows = CoinTosses([0, 5, 10], 10)
    assert fit.predict(rows).tolist() == [0, -1, 1]
    assert fit.score_rows(rows)[1] == -np.inf


def test_rows_that_are_not_in_memory_are_told_of_where_they_are(tmp_path: Path) -> None:
    fit = em.gaussian_mixture(TABLE, 3, counts="n", labels="z", start=start())
    expected = {"predict": fit.predict(TABLE), "score_rows": fit.score_rows(TABLE)}
    assert expected["score_rows"] @ COUNTS == pytest.approx(fit.log_likelihood, rel=1e-11)
    frame = dask.dataframe.from_pandas(TABLE[["v", "z", "u", "n"]], npartitions=3)
    array = dask.array.from_array(Y, chunks=(1000, 2))
    for name, values in expected.items():
        of = getattr(fit, name)
        lazy = of(frame)
        assert isinstance(lazy, dask.array.Array)
        assert lazy.dtype == values.dtype
        np.testing.assert_allclose(lazy.compute(), values, rtol=1e-12)
        folder = tmp_path / name
        folder.mkdir()
        np.testing.assert_allclose(of(parquet(folder, TABLE)), values, rtol=1e-12)
        unknown = LABELS < 0
        assert of(array).shape == (len(Y),)
        for there in (mapped(folder, "y", Y), array.persist()):
            np.testing.assert_allclose(np.asarray(of(there))[unknown], values[unknown], rtol=1e-12)
    far = em.gaussian_mixture(mapped(tmp_path, "all", Y), 3, start=start())
    assert far.simulate(5, 1).y.shape == (5, 2)
    assert far.bic == pytest.approx(-2 * far.log_likelihood + 17 * np.log(len(Y)), rel=1e-15)


FREE: dict[Covariance, int] = {
    "full": 11,
    "tied": 8,
    "diagonal": 9,
    "spherical": 7,
    "tied-diagonal": 7,
    "tied-spherical": 6,
}


@pytest.mark.parametrize(("form", "free"), FREE.items())
def test_criteria_count_free_parameters_and_rows_as_often_as_seen(form: Covariance, free: int) -> None:
    rows = FITS["gaussians"].rows
    for weights, p in (("free", free), ("equal", free - 1)):
        fit = em.gaussian_mixture(Measurements(rows.y, rows.counts), 2, form, weights)
        assert fit.aic == pytest.approx(-2 * fit.log_likelihood + 2 * p, rel=1e-15)
        assert fit.bic == pytest.approx(-2 * fit.log_likelihood + p * np.log(rows.counts.sum()), rel=1e-15)


@each_family
def test_the_table_has_every_number_of_the_fit(fitted: Fitted) -> None:
    fit, table = fitted.fit, fitted.fit.table
    assert table.columns.tolist() == ["estimate", "standard_error", "low", "high", "scale"]
    names = list(fit.standard_errors.names)
    assert table.index.tolist()[: len(names)] == names
    assert table.index.is_unique
    np.testing.assert_allclose(table.loc[names, "standard_error"], np.sqrt(np.diag(fit.standard_errors.covariance)))
    for name in table.index:  # each is a quantity that has a profile, which holds the estimate
        interval = em.profile_interval(fit, name)
        assert not interval.low > table.loc[name, "estimate"]
        assert not interval.high < table.loc[name, "estimate"]
    with pytest.raises(ValueError, match="name is"):
        em.profile_interval(fit, "standard_deviations[9]")


@each_family
def test_intervals_are_symmetric_on_the_scale_without_bounds(fitted: Fitted) -> None:
    scales: dict[str, Any] = {"identity": lambda x: x, "log": np.log, "logit": special.logit}
    slopes: dict[str, Any] = {"identity": lambda x: 1, "log": lambda x: 1 / x, "logit": lambda x: 1 / (x * (1 - x))}
    row: Any
    for row in fitted.fit.table.itertuples():
        to, slope = scales[row.scale], slopes[row.scale]
        half = stats.norm.ppf(0.97) * row.standard_error * slope(row.estimate)
        np.testing.assert_allclose([to(row.high), to(row.low)], to(row.estimate) + np.array([half, -half]), rtol=1e-9)


def test_standard_deviations_and_averages_have_errors_by_the_delta_method() -> None:
    fit: Any = FITS["gaussians"].fit
    names = [f"standard_deviations[{k}, {feature}]" for k in (1, 2) for feature in ("long, wide", "wait")]
    told = fit.table.loc[names]
    np.testing.assert_allclose(told["estimate"], fit.parameters.standard_deviations.ravel(), rtol=1e-12)
    np.testing.assert_allclose(told["standard_error"], fit.standard_errors.standard_deviations.ravel(), rtol=1e-12)
    for family, name in (("coins", "chance_of_heads"), ("poissons", "mean_rate")):
        fit = FITS[family].fit
        vector = fit.table["estimate"].to_numpy()[:4]
        root = np.linalg.cholesky(fit.standard_errors.covariance + 1e-18 * np.eye(4))
        # Differences along the square root of the covariance: of w p these are exact but for rounding.
        h = 1e-4
        moved = [[vector + s * h * column for s in (1, -1)] for column in root.T]
        parts = [(up[:2] @ up[2:] - down[:2] @ down[2:]) / (2 * h) for up, down in moved]
        assert fit.table.loc[name, "estimate"] == pytest.approx(vector[:2] @ vector[2:], rel=1e-12)
        assert fit.table.loc[name, "standard_error"] == pytest.approx(np.linalg.norm(parts), rel=1e-6)


def test_what_is_held_fixed_is_its_own_interval_and_what_is_withheld_has_none() -> None:
    tosses = CoinTosses([5, 9, 8, 4, 7], 10)
    held: Any = em.coin_mixture(tosses, 2, weights="equal").table.loc["weights[1]"]
    assert held[["estimate", "standard_error", "low", "high"]].tolist() == [0.5, 0.0, 0.5, 0.5]
    alone: Any = em.coin_mixture(tosses, 1).table.loc["weights[1]"]
    assert alone[["low", "high"]].tolist() == [1.0, 1.0]
    withheld = em.coin_mixture(CoinTosses([0, 0, 10], 10), 2).table
    assert withheld[["standard_error", "low", "high"]].isna().all(axis=None)
    assert withheld["estimate"].notna().all()


ROWS = 4000


@each_family
def test_rows_that_are_drawn_have_the_distribution_of_the_fit(fitted: Fitted) -> None:
    fit, rows = fitted.fit, fitted.fit.simulate(ROWS, 3)
    assert type(rows) is type(fitted.rows)
    assert (rows.n, set(rows.labels)) == (ROWS, {-1})
    # Twice the log-likelihood ratio of the fit to the truth: of as many rows from the fit a refit gains half a chi-squared.
    again = refitted(fitted, rows)
    gained = 2 * (again.log_likelihood - fit.score_rows(rows).sum())
    assert 0 <= gained < stats.chi2.ppf(0.9999, fit._mixture.basis.shape[1])
    outcome = type(rows).__slots__[0]
    one, same, other = (getattr(fit.simulate(50, seed), outcome) for seed in (3, 3, 4))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def refitted(fitted: Fitted, rows: Any) -> em.Fit[Any, Any]:
    """Without a prior, from the fit itself."""
    start: Any = fitted.fit.parameters
    if fitted.family is not None:
        return family_mixture(fitted.family, rows, 2, start=start)
    kind: Any = {CoinTosses: em.coin_mixture, EventCounts: em.poisson_mixture, Measurements: em.gaussian_mixture}[
        type(rows)
    ]
    return kind(rows, 2, start=start)  # type: ignore[no-any-return]


def test_rows_that_are_drawn_have_the_design_of_those_that_were_fitted() -> None:
    for family, column in (("coins", "tosses"), ("poissons", "exposure")):
        rows = FITS[family].rows
        drawn = getattr(FITS[family].fit.simulate(ROWS, 1), column)
        for value in np.unique(getattr(rows, column)):
            share = rows.counts @ (getattr(rows, column) == value) / rows.n
            # Four standard errors of a share.
            assert abs((drawn == value).mean() - share) < 4 * np.sqrt(share * (1 - share) / ROWS)


def test_rows_that_are_drawn_go_by_the_names_that_were_fitted() -> None:
    fit = FITS["gaussians"].fit
    drawn = fit.simulate(9, 1)
    assert drawn.features == ("long, wide", "wait")
    turned = Measurements(pd.DataFrame(drawn.y, columns=drawn.features)[["wait", "long, wide"]])
    np.testing.assert_allclose(fit.score_rows(turned), fit.score_rows(drawn), rtol=1e-12)
    for wrong in (0, 2.5, "9"):
        with pytest.raises((TypeError, ValueError), match="n is"):
            fit.simulate(wrong, 1)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="seed is -1"):
        fit.simulate(9, -1)


class Cells(HTMLParser):
    """Words of a page, and its elements, which nest."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.open: list[str] = []
        self.elements: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.open.append(tag)
        self.elements.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@each_family
def test_a_notebook_shows_the_table(fitted: Fitted) -> None:
    page = Cells(fitted.fit._repr_html_())
    row: Any
    for row in fitted.fit.table.itertuples():
        at = page.words.index(str(row.Index))
        assert page.words[at + 1 : at + 3] == [f"{row.estimate:.5g}", f"{row.standard_error:.5g}"]
    assert page.words[0] == f"Fit: {fitted.fit.status}"


def test_a_notebook_shows_names_as_words_and_says_what_is_withheld_and_doubted() -> None:
    frame = pd.DataFrame(FITS["gaussians"].rows.y, columns=["<script>", "a & b"])
    page = Cells(em.gaussian_mixture(frame, 2)._repr_html_())
    assert "script" not in page.elements
    assert "means[1, <script>]" in page.words
    words = [f"<{word}>" for word in ("title", "sentence", "head", "name", "cell", "more")]
    everywhere = as_html(words[0], [words[1]], [words[2], ""], [[words[3], words[4]]] * 41, words[5])
    assert set(Cells(everywhere).elements) == {"div", "p", "strong", "table", "thead", "tbody", "tr", "th", "td"}
    withheld = em.coin_mixture(CoinTosses([0, 0, 10], 10), 2)
    assert f"No standard errors: {withheld.standard_errors.reason}." in Cells(withheld._repr_html_()).words
    doubted = em.gaussian_mixture(load("galaxies").columns["velocity_km_s"], 4)
    assert doubted.doubts[0].told() in Cells(doubted._repr_html_()).words
    large = em.gaussian_mixture(np.random.default_rng(1).normal(size=(99, 9)), 1)
    assert any(
        word.startswith("... and ") and word.endswith("more rows in .table")
        for word in Cells(large._repr_html_()).words
    )


def test_what_is_no_family_and_no_row_of_one_is_refused_in_words() -> None:
    with pytest.raises(TypeError, match=r"family must be .*Family, but is str"):
        family_mixture("exponentials", Rows([1.0, 2.0]))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"data must be models\.Rows, but is list"):
        FITS["own"].fit.predict([1.0])
