"""Claims about latent classes: reference and published numbers, bounds, missing cells, and derivatives by independent code."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import approx_fprime
from scipy.stats import dirichlet

import em
from comparisons import datasets
from em.latent_classes import LatentClassMixture
from em.uncertainty.curvature import derivatives
from models import ItemResponses, LatentClassParameters, LatentClassPrior
from models.inputs import Floats, Integers
from models.mixtures import MixtureWeights

RECORD = json.loads(Path(__file__).with_name("latent_classes.json").read_text())
REFERENCES: dict[str, Any] = RECORD["references"]


def items(name: str) -> tuple[Integers, Integers | None]:
    """Items of a reference data set, and counts where rows are counted."""
    if name == "gss82":
        table = np.array(RECORD["gss82"])
        return table[:, :-1], table[:, -1]
    return np.column_stack(list(datasets.load(name).columns.values())), None


def padded(tables: list[list[list[float]]]) -> Floats:
    """``(K, J, C)`` from lists of different lengths."""
    most = max(len(each) for table in tables for each in table)
    return np.array([[[*each, *[0.0] * (most - len(each))] for each in table] for table in tables])


def point(sizes: tuple[int, ...], k: int, seed: int = 1) -> LatentClassParameters:
    """Parameters in general position."""
    random = np.random.default_rng(seed)
    p = padded([[random.dirichlet(np.full(size, 3.0)).tolist() for size in sizes] for _ in range(k)])
    return LatentClassParameters(random.dirichlet(np.full(k, 3.0)), p)


def with_missing(n: int = 60, seed: int = 3) -> ItemResponses:
    """Items with two to four categories, a quarter of the cells missing, some rows labelled and some counted."""
    random = np.random.default_rng(seed)
    sizes = (2, 3, 4)
    truth = point(sizes, 2, seed)
    rows = truth.simulate(random.choice(2, size=n, p=truth.weights), random)
    gone = random.random(rows.shape) < 0.25
    gone[np.arange(n), random.integers(len(sizes), size=n)] = False
    labels = np.where(random.random(n) < 0.2, random.integers(2, size=n), -1)
    named = [list(map(str, range(size))) for size in sizes]
    return ItemResponses(np.where(gone, -1, rows), random.integers(1, 4, size=n), labels, categories=named)


@pytest.mark.parametrize("name", REFERENCES)
def test_default_settings_find_the_reference_maximum_and_its_standard_errors(name: str) -> None:
    dataset, k = name.split("|K=")
    rows, counts = items(dataset)
    fit, told = em.latent_class_mixture(rows, int(k), counts=counts), REFERENCES[name]
    assert fit.log_likelihood == pytest.approx(told["log_likelihood"], abs=1e-7)
    assert fit.log_likelihood == pytest.approx(max(mode.log_likelihood for mode in fit.modes), abs=1e-9)
    order = np.argsort([table[0][0] for table in told["probabilities"]])[::-1]
    p, errors = padded(told["probabilities"])[order], padded(told["se_probabilities"])[order]
    np.testing.assert_allclose(fit.parameters.weights, np.array(told["weights"])[order], rtol=0, atol=1e-6)
    np.testing.assert_allclose(fit.parameters.item_probabilities, p, rtol=0, atol=1e-6)
    np.testing.assert_allclose(fit.standard_errors.weights, np.array(told["se_weights"])[order], rtol=0, atol=1e-6)
    np.testing.assert_allclose(fit.standard_errors.item_probabilities, errors, rtol=0, atol=1e-6)
    assert fit.standard_errors.reason is None
    assert told["at_0"] == (p == 0).sum() - (errors.shape[-1] > 2) * 2 * int(k)
    np.testing.assert_array_equal(fit.parameters.item_probabilities == 0, p == 0)
    assert fit.status == ("boundary" if told["at_0"] else "converged")
    if told["published"]:
        digits = len(told["published"].split(".")[1])
        assert f"{fit.log_likelihood:.{digits}f}" == told["published"]


def test_rows_and_patterns_with_counts_are_the_same_data() -> None:
    rows, _ = items("carcinoma")
    patterns, counts = np.unique(rows, axis=0, return_counts=True)
    one, other = (em.latent_class_mixture(r, 2, counts=c) for r, c in ((rows, None), (patterns[::-1], counts[::-1])))
    assert one.log_likelihood == other.log_likelihood
    np.testing.assert_array_equal(one.parameters.item_probabilities, other.parameters.item_probabilities)


def test_words_of_a_frame_are_the_categories_and_empty_cells_are_missing() -> None:
    frame = pd.DataFrame({"a": ["no", "yes", None, "no"], "b": [3.0, 1.0, 2.0, np.nan], "c": ["x", "y", "y", "x"]})
    frame["c"] = pd.Categorical(frame["c"], categories=["y", "x", "z"])
    found = ItemResponses(frame)
    assert found.item_names == ("a", "b", "c")
    assert found.categories == (("no", "yes"), ("1", "2", "3"), ("y", "x", "z"))
    np.testing.assert_array_equal(found.items, [[0, 2, 1], [1, 0, 0], [-1, 1, 0], [0, -1, 1]])


def by_hand(data: ItemResponses, p: LatentClassParameters) -> float:
    """Log-likelihood, row by row and class by class."""
    total = 0.0
    for row, count, label in zip(data.items.tolist(), data.counts.tolist(), data.labels.tolist(), strict=True):
        chances = [
            p.weights[k] * np.prod([p.item_probabilities[k, j, c] for j, c in enumerate(row) if c >= 0])
            for k in range(len(p.weights))
            if label in (-1, k)
        ]
        total += count * np.log(sum(chances))
    return total


def test_missing_cells_are_left_out_of_the_product() -> None:
    data, p = with_missing(), point((2, 3, 4), 2)
    mixture = LatentClassMixture(data, MixtureWeights.of("free", 2), None)
    assert mixture.e_step(p).log_likelihood == pytest.approx(by_hand(data, p), rel=1e-13)


def test_a_missing_cell_is_the_sum_over_what_it_may_be() -> None:
    p = point((2, 3, 4), 2)
    categories = [list(map(str, range(size))) for size in (2, 3, 4)]
    whole = ItemResponses([[1, c, 2] for c in range(3)], categories=categories)
    seen = ItemResponses([[1, -1, 2]], categories=categories)
    parts = [by_hand(whole.taken(np.array([c])), p) for c in range(3)]
    assert by_hand(seen, p) == pytest.approx(float(np.logaddexp.reduce(parts)), rel=1e-13)


def test_derivatives_in_free_coordinates_are_those_of_the_density_by_hand() -> None:
    data, p, prior = with_missing(), point((2, 3, 4), 2), LatentClassPrior(1.7, 1.3)
    mixture = LatentClassMixture(data, MixtureWeights.of("free", 2), prior)

    def objective(x: Floats) -> float:
        q = mixture.from_vector(mixture.from_coordinates(x, unbounded=False)[0])
        own = sum(
            dirichlet(np.full(size, 1.7)).logpdf(q.item_probabilities[k, j, :size] / q.item_probabilities[k, j].sum())
            for k, (j, size) in itertools.product(range(2), enumerate((2, 3, 4)))
        )
        return float(by_hand(data, q) + own + dirichlet([1.3, 1.3]).logpdf(q.weights))

    def slope(x: Floats) -> Floats:
        q = mixture.from_vector(mixture.from_coordinates(x, unbounded=False)[0])
        return np.asarray(mixture.basis.T @ derivatives(mixture, q)[0])

    x = mixture.coordinates(p, unbounded=False)
    assert mixture.e_step(p).log_likelihood + mixture.log_prior(p) == pytest.approx(objective(x), rel=1e-12)
    # Differences with steps of 1e-7 of a function of size 300 are right to some 1e-6 of its slopes' size.
    np.testing.assert_allclose(slope(x), approx_fprime(x, objective, 1e-7), rtol=1e-5, atol=2e-3)
    hessian = mixture.basis.T @ derivatives(mixture, p)[1] @ mixture.basis
    np.testing.assert_allclose(hessian, approx_fprime(x, slope, 1e-7), rtol=1e-5, atol=np.abs(hessian).max() * 1e-6)


@pytest.mark.parametrize("unbounded", [False, True])
def test_coordinates_go_there_and_back_with_the_jacobian_of_the_way(unbounded: bool) -> None:
    mixture = LatentClassMixture(with_missing(), MixtureWeights.of("free", 2), None)
    p = point((2, 3, 4), 2)
    x = mixture.coordinates(p, unbounded=unbounded)
    vector, jacobian = mixture.from_coordinates(x, unbounded=unbounded)
    np.testing.assert_allclose(vector, mixture.to_vector(p), atol=1e-15)
    way: Any = lambda y: mixture.from_coordinates(y, unbounded=unbounded)[0]  # noqa: E731
    numerical = approx_fprime(x, way, 1e-7)
    np.testing.assert_allclose(jacobian, numerical, atol=1e-6)
    np.testing.assert_allclose(vector[None], mixture.from_coordinates(x[None], unbounded=unbounded)[0])


def test_em_never_lowers_its_objective_and_ends_where_other_methods_end() -> None:
    data = with_missing(200)
    prior = LatentClassPrior(1.5, 2.0)
    fit = em.latent_class_mixture(data, 2, prior=prior, acceleration=None)
    assert (np.diff(fit.trace) >= -1e-9).all()
    direct = em.latent_class_mixture(data, 2, prior=prior, method="bfgs", start=fit.parameters)
    assert direct.log_posterior == pytest.approx(fit.log_posterior, abs=1e-7)


def test_a_fit_is_read_again_and_speaks_of_other_rows_by_the_names_of_their_categories(tmp_path: Path) -> None:
    frame = pd.DataFrame(np.where(items("carcinoma")[0] == 1, "yes", "no"), columns=list("ABCDEFG"))
    fit = em.latent_class_mixture(frame, 2)
    fit.write(tmp_path / "fit.json")
    again = em.read_fit(tmp_path / "fit.json")
    np.testing.assert_array_equal(again.parameters.item_probabilities, fit.parameters.item_probabilities)
    # Here "yes" comes first.
    some = ItemResponses(np.array([[0] * 7, [1] * 7]), item_names=list("ABCDEFG"), categories=[("yes", "no")] * 7)
    shares = again.responsibilities(some)
    assert shares[0, 1] > 0.99
    assert shares[1, 0] > 0.99


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([[0, 1], [1, 2.5]], r"items\[1, 1\] is 2.5"),
        ([[0, 1], [-2, 1]], r"items\[1, 0\] is -2"),
        ([[0, 1], [0, 0]], "has one category alone"),
        ([[0, 1], [-1, np.nan]], "1 rows without any item, the first row 1"),
    ],
)
def test_what_is_no_answer_is_refused_with_its_place(rows: Any, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        em.latent_class_mixture(rows, 1)


def test_a_prior_of_other_items_is_refused() -> None:
    with pytest.raises(ValueError, match="the items have"):
        em.latent_class_mixture(items("role_conflict")[0], 2, prior=LatentClassPrior(1.5, 2.0, (2, 2)))


def test_a_probability_at_its_bound_has_no_interval_of_one_value() -> None:
    fit = em.latent_class_mixture(items("carcinoma")[0], 2)
    table = fit.table
    at_bound = table["estimate"].isin([0.0, 1.0])
    assert fit.status == "boundary"
    assert at_bound.sum() == 10  # five items, with both of their categories
    assert table.loc[at_bound, ["standard_error", "low", "high"]].isna().all(axis=None)
    assert table.loc[~at_bound, ["standard_error", "low", "high"]].notna().all(axis=None)
