"""The observed information held against two other routes: Louis' identity by brute force, and SEM; and linkage data."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import em
from comparisons import datasets
from em.ascent.climb import climb
from em.fit import fit_mixture
from em.mixture import log_weights, responsibilities
from em.uncertainty.curvature import curvature, derivatives, missing_information
from em.weights import SameWeights
from models import CoinPrior, CoinTosses, GaussianParameters
from models.inputs import Floats
from tests.problems import problems

TWO_COIN = CoinTosses(heads=[5, 9, 8, 4, 7], tosses=10)
# Counts of four phenotypes with probabilities (1/2 + t/4, (1 - t)/4, (1 - t)/4, t/4): Rao (1973), Linear Statistical
# Inference, 368; Dempster, Laird & Rubin (1977).
LINKAGE = np.array([125, 18, 20, 34])


def em_step(mixture: Any, vector: Floats) -> Floats:
    return np.asarray(mixture.to_vector(mixture.m_step(mixture.e_step(mixture.from_vector(vector)))))


def rates(mixture: Any, vector: Floats) -> Floats:
    """Derivative of one EM step by the free coordinates at its fixed point, SEM's matrix DM transposed."""
    back = np.linalg.pinv(mixture.basis)
    columns = []
    for direction in mixture.basis.T:
        h = 1e-5 * max(1.0, float(np.abs(direction @ vector)))
        columns.append(
            back @ (em_step(mixture, vector + h * direction) - em_step(mixture, vector - h * direction)) / (2 * h)
        )
    return np.array(columns).T


def sem_covariance(mixture: Any, vector: Floats) -> Floats:
    """Meng & Rubin (1991), JASA 86, 899: (1 - DM)^-1 times the inverse of the complete-data information."""
    complete = mixture.basis.T @ derivatives(mixture, mixture.from_vector(vector))[2] @ mixture.basis
    return np.linalg.solve(np.eye(len(complete)) - rates(mixture, vector), np.linalg.inv(complete))


def fits() -> list[Any]:
    waiting = datasets.load("faithful").columns["waiting"].astype(float)
    eruptions = datasets.load("faithful").columns["eruptions"].astype(float)
    labels = np.where(np.arange(len(waiting)) % 7 == 0, (waiting > 67).astype(int), -1)
    return [
        em.coin_mixture(TWO_COIN, weights="equal"),
        em.coin_mixture(TWO_COIN),
        em.gaussian_mixture(waiting),
        em.gaussian_mixture(waiting, labels=labels),
        em.gaussian_mixture(np.column_stack([eruptions, waiting]), covariance="tied"),
    ]


@pytest.mark.parametrize("fit", fits(), ids=range(5))
def test_sem_finds_the_covariance_of_the_observed_information(fit: Any) -> None:
    mixture, vector = fit._mixture, fit.path._vectors[-1]
    expected = np.linalg.inv(curvature(mixture, mixture.from_vector(vector)).information)
    found = sem_covariance(mixture, vector)
    # Central differences lose five digits of sixteen, the inverse as many as EM is slow.
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6 * np.abs(expected).max())
    assert np.linalg.eigvals(rates(mixture, vector)).real.max() == pytest.approx(fit.rate, abs=1e-6)


def test_louis_identity_by_all_labelings_is_the_observed_information() -> None:
    fit = em.coin_mixture(TWO_COIN)
    w, p = fit.parameters.weights[0], fit.parameters.head_probabilities
    total, mean, outer, complete = 0.0, np.zeros(3), np.zeros((3, 3)), np.zeros((3, 3))
    for z in itertools.product((0, 1), repeat=5):
        chosen = np.eye(2)[list(z)]
        bags, heads, tails = chosen.sum(axis=0), TWO_COIN.heads @ chosen, (10 - TWO_COIN.heads) @ chosen
        chance = float(np.prod(p**heads * (1 - p) ** tails) * w ** bags[0] * (1 - w) ** bags[1])
        score = np.array([bags[0] / w - bags[1] / (1 - w), *(heads / p - tails / (1 - p))])
        information = np.diag([bags[0] / w**2 + bags[1] / (1 - w) ** 2, *(heads / p**2 + tails / (1 - p) ** 2)])
        total += chance
        mean += chance * score
        outer += chance * np.outer(score, score)
        complete += chance * information
    mean, outer, complete = mean / total, outer / total, complete / total
    # The scores of labels and tosses together average to the score of the tosses, 0 at the maximum.
    np.testing.assert_allclose(mean, 0, atol=1e-6)
    observed = complete - (outer - np.outer(mean, mean))
    covariance = fit.standard_errors.covariance[np.ix_([0, 2, 3], [0, 2, 3])]
    # The estimate is 1e-8 standard errors from the maximum; the information is worse conditioned by 1e2.
    np.testing.assert_allclose(np.linalg.inv(observed), covariance, rtol=1e-6)


@dataclass(frozen=True)
class LinkageParameters:
    weights: Floats
    chance: Floats

    @property
    def order_keys(self) -> Floats:
        return np.arange(2.0)[:, None]


@dataclass(frozen=True)
class LinkageStatistics:
    log_likelihood: float
    cells: Floats


class LinkageMixture(SameWeights):
    """The first cell hides two: with probability 1/2 it is seen in any case, else the cells are (t, 1 - t, 1 - t, t) / 2.

    So the data are a mixture of equal weights, whose first component has no parameter that matters.
    """

    n_components = 2
    groups = np.array([0, 1])
    labels = np.full(4, -1)
    counts = LINKAGE
    points = np.arange(4.0)[:, None]
    n_parameters = 4
    basis = np.eye(4)[:, 3:]
    prior = None
    likelihood_offset = offset = unit = 0.0
    bounded, interpolated, given_bounds, limits, by_first = True, 0, False, {}, True  # type: ignore[var-annotated]

    def held(self, vector: Floats) -> Floats:
        return vector

    def log_densities(self, parameters: LinkageParameters) -> Floats:
        t = parameters.chance[1]
        with np.errstate(divide="ignore"):
            return np.log(np.array([[1, 0, 0, 0], [t / 2, (1 - t) / 2, (1 - t) / 2, t / 2]]).T)

    def summed(self, of: Any) -> Any:
        return of(self)

    def e_step(self, parameters: LinkageParameters) -> LinkageStatistics:
        r, rows = responsibilities(log_weights(parameters.weights) + self.log_densities(parameters), self.labels)
        return LinkageStatistics(float(rows @ self.counts), r[:, 1] * self.counts)

    def m_step(self, statistics: LinkageStatistics) -> LinkageParameters:
        cells = statistics.cells
        return LinkageParameters(np.array([0.5, 0.5]), np.array([0.5, (cells[0] + cells[3]) / cells.sum()]))

    def log_prior(self, _: LinkageParameters) -> float:
        return 0.0

    def by_feature(self, directions: Floats) -> Floats:
        return directions

    def scores(self, parameters: LinkageParameters) -> Floats:
        t = parameters.chance[1]
        own = np.array([1 / t, -1 / (1 - t), -1 / (1 - t), 1 / t])
        return np.stack([np.zeros(4), own], axis=1)[:, :, None]

    def further_missing(self, parameters: LinkageParameters, weighted: Floats) -> Floats:
        return np.zeros(())

    def complete_hessian(self, parameters: LinkageParameters, weighted: Floats) -> Floats:
        t, cells = parameters.chance[1], weighted[:, 1]
        curved = -(cells[0] + cells[3]) / t**2 - (cells[1] + cells[2]) / (1 - t) ** 2
        return np.array([0.0, curved])[:, None, None]

    def missing_cells(self, parameters: LinkageParameters, weighted: Floats) -> float:
        return 0.0

    def prior_derivatives(self, _: LinkageParameters) -> tuple[Floats, Floats]:
        return np.zeros(4), np.zeros((4, 4))

    def own_coordinates(self, component: int) -> Any:
        return np.array([2 + component])

    def bounds(self) -> list[tuple[int, float]]:
        return [(3, 0.0), (3, 1.0)]

    def names(self) -> list[str]:
        return ["weights[1]", "weights[2]", "chance[1]", "chance[2]"]

    def to_vector(self, parameters: LinkageParameters) -> Floats:
        return np.concatenate([parameters.weights, parameters.chance])

    def from_vector(self, vector: Floats) -> LinkageParameters:
        return LinkageParameters(vector[:2], vector[2:])

    def exists(self, vector: Floats) -> Any:
        return np.asarray(((vector >= 0) & (vector <= 1)).all(axis=-1))

    def constrained(self, _: LinkageParameters) -> bool:
        return False

    def spreads(self, _: LinkageParameters) -> float:
        return np.inf

    def spread_ratios(self, _: LinkageParameters) -> Floats:
        return np.full(2, np.inf)

    def published(self, parameters: LinkageParameters) -> LinkageParameters:
        return parameters

    def doubt_of_derivatives(self, parameters: LinkageParameters, covariance: Floats) -> str | None:
        return None

    def standard_errors(self, _: LinkageParameters, covariance: Floats, reason: str | None) -> Any:
        assert reason is None
        return np.sqrt(np.diag(covariance))


def test_linkage_data_have_their_published_information_error_and_rate() -> None:
    mixture: Any = LinkageMixture()
    start = LinkageParameters(np.array([0.5, 0.5]), np.array([0.5, 0.5]))
    fit = fit_mixture(mixture, start=start, seed=0, method="em", acceleration=None)
    vector = fit.path._vectors[-1]
    assert fit.parameters.chance[1] == pytest.approx((15 + np.sqrt(53809)) / 394, abs=1e-9)  # its quadratic's root
    assert curvature(mixture, fit.parameters).information[0, 0] == pytest.approx(377.517, abs=5e-4)
    assert fit.standard_errors[3] == pytest.approx(0.051467, abs=5e-7)
    assert fit.rate == pytest.approx(0.132779, abs=5e-7)
    assert rates(mixture, vector)[0, 0] == pytest.approx(0.132779, abs=5e-7)
    assert np.sqrt(sem_covariance(mixture, vector)[0, 0]) == pytest.approx(0.051467, abs=5e-7)


def test_the_missing_information_of_normals_is_what_the_scores_of_single_rows_give() -> None:
    seen = 0
    for problem in problems(seed=6, number=60):
        mixture, parameters = problem.mixture, problem.start
        if not hasattr(mixture, "rows") or mixture.rows.products(parameters) is None:
            continue
        expected, rows = missing_information(mixture, parameters)
        complete, missing = mixture.informations(parameters)
        np.testing.assert_allclose(missing, expected, rtol=1e-9, atol=1e-10 * np.abs(expected).max(initial=1.0))
        k = mixture.n_components
        np.testing.assert_allclose(np.diag(complete)[:k] * parameters.weights**2, rows, rtol=1e-10)
        seen += 1
    assert seen > 15


def test_what_complete_data_tell_less_what_is_missing_is_the_observed_information_at_a_maximum() -> None:
    """And so is the prior worth rows: where it is not matched, guesses do not contract."""
    seen = set()
    for problem in problems(seed=7, number=80):
        mixture = problem.mixture
        run = climb(mixture, problem.start, None, 3000)
        if run.judged is None or run.judged.kind != "maximum":
            continue
        parameters = mixture.from_vector(run.points[-1])
        complete, missing = mixture.informations(parameters)
        both = complete + mixture.prior_information(parameters) - missing
        size = np.sqrt(np.diag(run.judged.information))
        by_size = (mixture.basis.T @ both @ mixture.basis - run.judged.information) / np.outer(size, size)
        assert np.abs(by_size).max() < 1e-5
        seen.add((type(mixture).__name__, mixture.prior is not None))
    assert len(seen) == 4


def test_newton_arrives_in_tens_of_evaluations_where_em_takes_thousands() -> None:
    families = datasets.load("saxony").columns
    bags = CoinTosses(families["boys"], 12, counts=families["families"])
    mixture = em.coin_mixture(bags)._mixture
    start = mixture.from_vector(np.array([0.5, 0.5, 0.4, 0.6]))
    plain, fast = climb(mixture, start), climb(mixture, start, "newton")
    assert plain.evaluations > 5000
    assert fast.evaluations < 100
    assert fast.trace[-1] == pytest.approx(plain.trace[-1], rel=1e-13)


def test_guesses_by_a_wrong_map_give_way_to_plain_steps_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """With its prior left out the map promises longer steps than there are."""
    wrong = 0
    for problem in problems(seed=4, number=40):
        mixture = problem.mixture
        if mixture.prior is None:
            continue
        plain = climb(mixture, problem.start, None, 3000)
        nothing = np.zeros((mixture.n_parameters,) * 2)
        monkeypatch.setattr(mixture, "prior_information", lambda _, nothing=nothing: nothing)
        fast = climb(mixture, problem.start, "newton", 3000)
        if plain.ending == "converged":
            assert fast.ending == "converged"
            wrong += 1
    assert wrong > 10


def test_newton_is_refused_for_very_many_parameters() -> None:
    y = np.random.default_rng(0).normal(size=(200, 20))
    with pytest.raises(ValueError, match=r'"newton" but the fit has 1155 parameters.*give "anderson" or "squarem"'):
        em.gaussian_mixture(y, 5, acceleration="newton")


@pytest.mark.parametrize("weight", [0.0, 1e-13])
@pytest.mark.parametrize("prior", [None, CoinPrior(1, 1, 1), CoinPrior(2, 2, 1)])
def test_an_empty_component_that_would_gain_beside_another_one_is_a_saddle(
    weight: float, prior: CoinPrior | None
) -> None:
    """Half of the bags hold 1 in 10, half 9, and some 5, which two coins cannot tell; a third one is where one of these is.

    The gradient by its weight is the multiplier to rounding, and what it would be elsewhere is told by a grid.
    """
    bags = CoinTosses(heads=[1, 5, 9], tosses=10, counts=[40, 20, 40])
    two = em.coin_mixture(bags, 2, prior=prior).parameters
    mixture = em.coin_mixture(bags, 3, prior=prior)._mixture

    def at(probability: float) -> Any:
        vector = np.array([*two.weights * (1 - weight), weight, *two.head_probabilities, probability])
        return mixture.from_vector(vector)

    for lone, other in enumerate(two.head_probabilities):
        gradients = [derivatives(mixture, at(other + way))[0] for way in (-1e-3, 0, 1e-3)]
        before, here, after = (gradient[2] / (gradient[:3] @ [*two.weights, 0]) for gradient in gradients)
        gains = max(before, after) > 1 + 1e-9
        assert here == pytest.approx(1, abs=1e-9)
        # A prior that is not flat holds the coin where it is.
        held = prior is not None and prior.heads > 1
        assert held or gains == (lone == 1)
        judged = curvature(mixture, at(other))
        assert (judged.kind == "saddle") == (gains and not held)
        if judged.kind == "saddle":
            assert np.flatnonzero(judged.direction).tolist() == [5]


@pytest.mark.parametrize(
    ("rows", "kind"), [([-4, -1, -1, 0, 0, 1, 1, 4], "saddle"), ([-2, -2, -1, 1, 2, 2], "boundary")]
)
def test_an_empty_normal_beside_another_one_gains_where_tails_are_heavier_than_normal(
    rows: list[float], kind: str
) -> None:
    """Its gradient does not bend by its mean, where rows are symmetric, and by its variance it does as kurtosis - 3 says."""
    y = np.array(rows, dtype=float)
    one = em.gaussian_mixture(y, 1).parameters
    mixture = em.gaussian_mixture(y, 2)._mixture
    twice = GaussianParameters([1, 0], np.repeat(one.means, 2, 0), np.repeat(one.covariances, 2, 0))
    assert (np.mean(y**4) > 3 * np.mean(y**2) ** 2) == (kind == "saddle")
    assert curvature(mixture, mixture.from_published(twice)).kind == kind
