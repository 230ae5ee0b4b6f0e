"""Claims about comparisons of latent classes: what items can tell, goodness of fit, own data, and the posterior."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import arviz as az
import numpy as np
import pytest
import xarray as xr

from comparisons import catalogue, datasets, families, own, quantities
from comparisons.columns import chosen
from comparisons.draws_by_name import draws_of
from comparisons.families.latent_classes import identification, patterns
from comparisons.families.mixtures import MixtureProblem
from comparisons.model_fit.goodness_of_fit import goodness_of_fit
from comparisons.posterior import nuts
from comparisons.results.report_data import Distance
from comparisons.tables import read
from models import ItemResponses, LatentClassParameters, LatentClassPrior, LogPosterior


def problem(name: str) -> MixtureProblem:
    declared = catalogue.declaration(name)
    return families.problem(declared, declared.data(datasets.load(declared.dataset)))


def of(sizes: tuple[int, ...], k: int) -> MixtureProblem:
    """Some rows of items with so many categories, for so many classes."""
    rows = np.array([[c % size for size in sizes] for c in range(12)])
    declared = replace(catalogue.declaration("role-conflict"), components=tuple(str(j) for j in range(k)))
    return families.problem(declared, ItemResponses(rows))


def table(tmp_path: Path) -> Path:
    """Answers in words, some of them missing, with a column of counts."""
    path = tmp_path / "answers.csv"
    path.write_text("a,b,c,n\nyes,1,low,5\nno,2,,3\n,1,high,2\nyes,2,low,4\nno,1,high,6\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("sizes", "k", "told"),
    [
        ((2, 2), 2, "3 free frequencies, but 2 classes have 5"),
        # Goodman (1974): fifteen frequencies, fourteen parameters, of which thirteen are told.
        ((2, 2, 2, 2), 3, "of the 14 free parameters of 3 classes the patterns of 4 items tell 13 alone"),
        ((2, 2, 2), 2, None),
        ((2,) * 5, 3, None),
        ((3, 3, 2), 3, None),
    ],
)
def test_how_many_classes_items_can_tell_is_told(sizes: tuple[int, ...], k: int, told: str | None) -> None:
    found = of(sizes, k).structurally_unidentified()
    assert found is None if told is None else told in str(found)


def test_kruskals_condition_is_that_of_three_groups_of_items() -> None:
    assert identification.generic((2, 2, 2), 2)
    assert not identification.generic((2, 2, 2, 2), 3)
    assert identification.generic((2,) * 5, 3)
    assert not identification.generic((5, 5), 2)
    assert "up to 2 classes" in problem("role-conflict").identifiability()


def test_distances_are_those_that_are_published() -> None:
    # G2 and X2 of Goodman (1974), table 4, H2: 2.720 and 2.720 on 6 degrees of freedom; of poLCA's help page for carcinoma.
    for name, expected, free in (("role-conflict", (2.7198, 2.7199), 6), ("carcinoma", (20.50336, 15.26171), 104)):
        asked = problem(name)
        fit = asked.fit(None)
        x2, g2, _ = goodness_of_fit_values(asked, fit.parameters)
        assert (x2, g2) == pytest.approx(expected, abs=1e-4)
        assert identification.freedom(asked) == free


def goodness_of_fit_values(asked: MixtureProblem, parameters: LatentClassParameters) -> list[float]:
    found: list[float] = []

    def placed(name: str, distance: Any, observed: Any, drawn: Any) -> Distance:
        found.append(distance(observed))
        return Distance(name, found[-1], None, None, None)

    patterns.distances(asked, parameters, [], placed)
    return found


def test_two_classes_leave_pathologists_associated_and_three_leave_one_pair() -> None:
    asked = problem("carcinoma")
    two = replace(asked, comparison=replace(asked.comparison, components=("no", "yes")))
    of_two, of_three = (goodness_of_fit(p, p.fit(None), np.random.default_rng(0)).distances for p in (two, asked))
    least = [each.p_value for each in of_two]
    assert least == [1 / 160] * 3
    assert all(each.p_value is not None and each.p_value > 0.05 for each in of_three[:2])
    assert of_three[2].name == "largest bivariate residual, of D and F"


def test_quantities_go_there_and_back_and_are_named_by_item_and_category(tmp_path: Path) -> None:
    found = own.declared(table(tmp_path), "latent-classes", 2, columns=["a", "b", "c"], counts="n")
    asked = families.problem(found.comparison, found.comparison.data(found.dataset))
    p = asked.random_parameters(np.random.default_rng(0))
    told = quantities.of_parameters(asked, p)
    assert list(told)[2:] == [f"item_probabilities[{k}, {c}]" for k in "12" for c in ("a=yes", "b=2", "c=low")]
    back = asked.arrays_of({name: np.array([value]) for name, value in told.items()})
    np.testing.assert_allclose(back["item_probabilities"][0], p.item_probabilities, atol=1e-15)
    names = quantities.names(asked)
    assert set(names) <= set(asked.em_names)
    assert set(asked.of_fit(asked.fit(asked.prior))) >= set(names)


def test_every_quantity_of_a_stored_posterior_is_found_by_its_name(tmp_path: Path) -> None:
    found = own.declared(table(tmp_path), "latent-classes", 2, columns=["a", "b", "c"], counts="n")
    asked, random = families.problem(found.comparison, found.comparison.data(found.dataset)), np.random.default_rng(5)
    points = [asked.arrays(asked.random_parameters(random)) for _ in range(6)]
    dims = {"weights": ["component"], "item_probabilities": ["component", "item", "category"]}
    coords = {"component": ["1", "2"], "item": ["a", "b", "c"], "category": ["0", "1"]}
    draws = {name: np.array([point[name] for point in points]) for name in dims}
    posterior = xr.Dataset(
        {n: (("chain", "draw", *dims[n]), values.reshape(2, 3, *values.shape[1:])) for n, values in draws.items()},
        coords={"chain": [0, 1], "draw": [0, 1, 2], **coords},
    )
    told = ("logp", "energy", "diverging", "max_energy_error", "n_steps", "step_size")
    statistics = xr.Dataset({name: (("chain", "draw"), np.zeros((2, 3))) for name in told})
    kept = nuts.stored(asked, posterior, xr.DataTree.from_dict({"sample_stats": statistics}))
    for name, values in quantities.of_draws(asked, posterior).items():
        np.testing.assert_array_equal(draws_of(kept, name), values)
    assert kept["posterior"].dataset["quantity"].values.tolist() == [
        n for n in quantities.names(asked) if n.startswith("item")
    ]


def test_words_are_categories_missing_cells_are_kept_and_the_family_is_never_guessed(tmp_path: Path) -> None:
    found = own.declared(table(tmp_path), "latent-classes", 2, columns=["a", "b", "c"], counts="n")
    rows = found.comparison.data(found.dataset)
    assert rows.categories == (("no", "yes"), ("1", "2"), ("high", "low"))
    assert rows.n == 20
    assert "2 cells" not in " ".join(found.notes)
    assert "5 cells are missing" in " ".join(found.notes)
    numbers = read({"a": np.array([0, 1, 1]), "b": np.array([1, 0, 1])})
    assert chosen(numbers, None, None, None, None, None, None).family.name == "gaussians"
    with pytest.raises(ValueError, match="not numeric"):
        own.declared(table(tmp_path), None, 2, columns=["a", "b"], missing="drop")


def test_the_third_density_is_that_of_em_where_cells_are_missing_and_sizes_differ() -> None:
    rows = ItemResponses([[0, 2, -1], [1, -1, 1], [1, 0, 0], [0, 1, 1], [1, 1, -1]], counts=[3, 1, 2, 5, 4])
    asked = of((2, 3, 2), 2)
    declared = families.problem(asked.comparison, rows)
    p = declared.random_parameters(np.random.default_rng(4))
    third = declared.third
    assert third.log_likelihood(p) == pytest.approx(declared.log_likelihood(p), rel=1e-13)
    assert third.log_prior(p) == pytest.approx(declared.log_prior(p), rel=1e-12)


def test_pymc_has_the_density_of_em_where_cells_are_missing_and_sizes_differ() -> None:
    rows = ItemResponses(
        [[0, 2, -1], [1, -1, 1], [1, 0, 0], [0, 1, 1], [1, 1, -1]], counts=[3, 1, 2, 5, 4], labels=[-1, 0, -1, 1, -1]
    )
    declared = replace(of((2, 3, 2), 2).comparison, prior=LatentClassPrior(1.5, 2.0))
    asked = families.problem(declared, rows)
    density = LogPosterior(asked.model())
    p = asked.random_parameters(np.random.default_rng(4))
    likelihood, prior, _ = density.parts(density.unconstrained(asked.to_pymc(p)))
    assert likelihood == pytest.approx(asked.log_likelihood(p), rel=1e-12)
    assert prior == pytest.approx(asked.log_prior(p), rel=1e-12)
    natural = density.natural(density.unconstrained(asked.to_pymc(p)))
    np.testing.assert_allclose(natural["item_probabilities"], p.item_probabilities, atol=1e-12)


# Of 1.5 million draws by Gibbs sampling: all nine probabilities uniform, classes by P(A = 1).
MOMENTS = {
    "weights[1]": (0.690116, 0.061177),
    "item_probabilities[1, A=1]": (0.706450, 0.041947),
    "item_probabilities[1, B=1]": (0.320968, 0.051582),
    "item_probabilities[1, C=1]": (0.345835, 0.049127),
    "item_probabilities[1, D=1]": (0.125787, 0.036398),
    "item_probabilities[2, A=1]": (0.961053, 0.030457),
    "item_probabilities[2, B=1]": (0.895858, 0.062759),
    "item_probabilities[2, C=1]": (0.886418, 0.065282),
    "item_probabilities[2, D=1]": (0.737694, 0.097717),
}


@pytest.mark.sampling
@pytest.mark.long
def test_the_posterior_of_role_conflict_has_the_moments_of_another_sampler() -> None:
    asked = problem("role-conflict")
    asked = asked.ordered_by(asked.fit(None).parameters)
    density = LogPosterior(asked.model())
    drawn = nuts.sampled(asked, density, asked.fit(asked.prior), 1000, 4, 0)
    posterior = nuts.canonical(asked, drawn.tree, asked.exchangeable(density.model))
    for name, values in quantities.of_draws(asked, posterior).items():
        if name in MOMENTS:
            mean, sd = MOMENTS[name]
            assert abs(values.mean() - mean) < 4 * float(az.mcse(values, method="mean")), name
            assert abs(values.std() - sd) < 4 * float(az.mcse(values, method="sd")), name


def test_one_item_tells_no_classes_apart_and_is_refused_before_anything_runs() -> None:
    assert of((3,), 1).data.n == 12
    with pytest.raises(
        ValueError, match="items has 1 column, which cannot tell 2 classes apart; give two items or more"
    ):
        of((3,), 2)
