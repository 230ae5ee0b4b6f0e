"""The layer every mixture shares: responsibilities in logs, weights, known labels, and what a family must provide.

For row ``i`` of component ``k``, with ``f_k`` the component's density,

    responsibility  r_ik = w_k f_k(y_i) / sum_j w_j f_j(y_i),

computed from logarithms so that no density is ever rounded to zero. A row whose component is known has all its
responsibility there, and its part of the log-likelihood is ``log w_k + log f_k``.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Literal, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from models.inputs import Floats, Integers, cut
from models.mixtures import MixtureWeights

# Numbers that are computed at a time where memory is to be spared: 1 MB, which stays in the cache.
AT_A_TIME = 2**17
# Rows that are worth the products of matrices of their parameters.
LEAST_ROWS = 256
EPSILON = float(np.finfo(float).eps)


# Of steps of microseconds; the slowest reference problem takes a third of them.
REPLAY_STEPS = 30_000
# The same of steps of milliseconds.
DEAR_STEPS = 1000

type Scale = Literal["identity", "log", "logit"]


class Statistics(Protocol):
    """Sufficient statistics of fixed size: what an E-step returns, and they add over rows."""

    @property
    def log_likelihood(self) -> float:
        """Log-likelihood of the rows, at the parameters of the E-step."""

    def __add__(self, other: Self) -> Self:
        """Statistics of both sets of rows together."""


class Sum(Protocol):
    """What adds over rows."""

    def __add__(self, other: Self, /) -> Self:
        """Return the same of both sets of rows together."""


class Mixture[P, S](Protocol):
    """Data, options and prior of one fit: what a family file provides, and all that the shared layers see.

    Parameters are passed as values ``P``; their natural coordinates are the *full* vector, all weights first, then
    everything else: ``(p,)``. Constraints (weights sum to 1 or are held, covariances tied, diagonal or spherical) are
    linear in it: full = constant + ``basis`` @ free.

    ``kind`` names the family. ``in_memory`` says that all rows are, so that they can be drawn again; ``rowless`` that there are
    none, as the fit was read from a file.
    ``n`` counts all rows as often as they were seen, in a part too. ``replay_steps`` are the plain steps that a path is
    worth.
    ``by_first`` says that components are ordered by the first of their own parameters, where nothing separates them better.
    ``average`` is what the first parameter, averaged over the mixture, is called as a quantity; empty where it is none.
    ``limits`` says of parameters by name what a component is at one of their ends, where that has a name.
    ``unit`` is the size whose rounding is that of any entry of the full vector that is smaller: 0 where each has its own.
    ``bounded`` says that the objective is, so that no optimum is spurious for being narrow. A component has
    ``own_parameters`` that are free beside its weight, and goes through ``interpolated`` rows whatever they are, 0 where it
    cannot collapse. Where the rows are too many for memory, ``labels``, ``counts`` and ``points``, and what is asked of single
    rows, are those of a sample; `e_step` and `summed` speak of all. ``given_bounds`` says that standard errors are given what is
    at a bound; else they are withheld there.

    Where a shape begins with ``...``, many sets of parameters may be given at once, along leading axes.
    """

    kind: str
    n: int
    n_components: int
    weights: MixtureWeights
    in_memory: bool
    replay_steps: int
    rowless: bool
    groups: Integers
    labels: Integers
    counts: Integers
    prior: Any
    unit: float
    bounded: bool
    own_parameters: int
    interpolated: int
    given_bounds: bool
    likelihood_offset: float
    offset: float
    average: str
    limits: ClassVar[dict[str, dict[float, str]]]
    by_first: bool

    @property
    def points(self) -> Floats:
        """``(n, d)`` where the rows are, each feature in a unit of its own."""

    @property
    def n_parameters(self) -> int:
        """p, the length of the full vector."""

    @property
    def basis(self) -> Floats:
        """``(p, f)`` directions in which the full vector may move."""

    def part(self, rows: slice | Integers) -> Self:
        """The same mixture of some of its rows, in the same units."""

    def sample(self, seed: int) -> Self:
        """The mixture of the rows among which a search is made: all, or of very many a sample."""

    def summed[T: Sum](self, of: Callable[[Mixture[P, S]], T]) -> T:
        """What ``of`` says of all rows: of all at once, or chunk by chunk and added up."""

    def e_step(self, parameters: P) -> S:
        """Sufficient statistics of all rows; parameters ``...`` give statistics ``...``."""

    def m_step(self, statistics: S) -> P:
        """``...`` mode of the conjugate posterior given the statistics; maximum likelihood without a prior."""

    def log_prior(self, parameters: P) -> Floats | float:
        """``(...)`` log density of the prior, 0 without one."""

    def rounding(self, parameters: P, statistics: S) -> float:
        """Nats by which the objective changes if all that it is made of is rounded once, at parameters with these statistics."""

    def log_densities(self, parameters: P) -> Floats:
        """``(..., n, K)`` log density of each row under each component, weights left out."""

    def scores(self, parameters: P) -> Floats:
        """``(n, K, q)`` derivative of each component's log density by that component's own parameters."""

    def summed_scores(self, parameters: P) -> tuple[Floats, Floats] | None:
        """``(K,)`` expected rows, and ``(K, q)`` the scores of all rows summed, where one E-step tells them."""

    def complete_hessian(self, parameters: P, weighted: Floats) -> Floats:
        """``(K, q, q)`` second derivatives of the component log densities, summed with the weights ``(n, K)``."""

    def sees_narrowest(self, parameters: P) -> NDArray[np.bool_] | bool:
        """``(n, K)`` whether what was seen of a row shows the component's narrowest side; True where rows are whole."""

    def further_missing(self, parameters: P, weighted: Floats) -> Floats | float:
        """``(K, q, q)``, or 0, information of each component's own parameters, missing with what is latent beside it.

        That is with cells of the rows that are missing, or with ends of times that are censored; summed likewise.
        """

    def of_weights(self, parameters: P) -> tuple[Floats | float, Floats | float]:
        """Derivatives of what all components of a row have in common where weights differ by row: ``(n, p)``, ``(p, p)`` summed.

        That is of minus the logarithm of what makes the weights of the row sum to 1; 0 where they are those of all.
        """

    def row_weights(self, parameters: P, rows: slice | Integers) -> Floats:
        """``(K,)`` probabilities of the components, or ``(m, K)`` those of each of these rows."""

    def informations(self, parameters: P) -> Floats:
        """``(2, p, p)`` information of the rows by the full vector: of complete data, expected, and what of it is missing.

        The linear map that EM is near its limit is I - complete^-1 (complete - missing).
        """

    def prior_information(self, parameters: P) -> Floats:
        """``(p, p)`` the same of the rows that the prior stands for; zeros without one."""

    @property
    def information_steps(self) -> float:
        """How many E-steps `informations` takes, about."""

    def prior_derivatives(self, parameters: P) -> tuple[Floats, Floats]:
        """Gradient ``(p,)`` and Hessian ``(p, p)`` of the log prior by the full vector."""

    def own_coordinates(self, component: int) -> Integers:
        """``(q,)`` places of a component's own parameters in the full vector."""

    def bounds(self) -> list[tuple[int, float]]:
        """Place in the full vector and value of every bound but those of the weights."""

    def names(self) -> list[str]:
        """``p`` names, such as ``means[1, 2]``, components and features counted from 1."""

    def scales(self) -> list[Scale]:
        """``p`` scales on which the entries of the full vector have no bounds."""

    def to_vector(self, parameters: P) -> Floats:
        """The full vector ``(..., p)``."""

    def exists(self, vector: Floats) -> NDArray[np.bool_]:
        """``(...)`` whether a full vector has parameters, every component with a width."""

    def from_vector(self, vector: Floats) -> P:
        """The parameters of a full vector ``(..., p)``; raises FloatingPointError where there are none."""

    def coordinates(self, parameters: P, *, unbounded: bool) -> Floats:
        """Free coordinates ``(..., f)`` that an optimiser moves in; without bounds where ``unbounded``."""

    def from_coordinates(self, x: Floats, *, unbounded: bool) -> tuple[Floats, Floats]:
        """The full vector ``(..., p)`` at those coordinates, and its Jacobian ``(..., p, f)`` by them."""

    def spreads(self, parameters: P) -> Floats:
        """``(..., K)`` smallest standard deviation of each component as a share of the data's; inf where there is none."""

    def spread_ratios(self, parameters: P) -> Floats:
        """``(..., K)`` smallest standard deviation of each over the largest of any, both as such shares; inf likewise."""

    def within_ratio(self, least: float, parameters: P) -> tuple[Self, P]:
        """The mixture with standard deviations held to a least ratio, and the parameters changed to keep it."""

    def white(self) -> Floats | None:
        """``(n, d)`` rows with mean 0 and the identity as covariance, where what separates components may be a short side."""

    def held(self, vector: Floats) -> Floats:
        """The full vector ``(p,)`` put back to where a declared constraint holds, which a guess left."""

    def constrained(self, parameters: P) -> bool:
        """Whether the parameters are held by a declared constraint, so that their gradient need not vanish."""

    def held_by(self, parameters: P) -> str:
        """By what such parameters are held, in words."""

    def elsewhere(self, random: np.random.Generator) -> Iterator[tuple[Floats, Floats]]:
        """Components that there might be, width by width.

        ``(n, C)`` log density of each row under each of C, an array of its own, and where these are, ``(C, q)``, in units
        (standard deviations of such a component, or of a row) below which two are at one place.
        """

    def start_from(self, responsibilities: Floats, *, wide: bool = True) -> P:
        """Start parameters from responsibilities ``(..., n, K)``: an M-step, ``wide`` with a weak prior against singular ones."""

    def published(self, parameters: P) -> P:
        """The parameters in the user's own units, read-only; unchecked and along any leading axes."""

    def from_published(self, published: P) -> P:
        """Parameters in the mixture's units from those in the user's, unchecked and along any leading axes."""

    @property
    def vector_units(self) -> Floats:
        """``(p,)`` what one unit of each entry of a full vector `by_feature` is in the user's units."""

    def by_feature(self, directions: Floats) -> Floats:
        """``(p, m)`` directions in the full vector, as of the parameters of those ``names``, each feature in its own unit."""

    def of_rows(self, data: Any, published: P, of: Callable[[Floats, Integers], Floats], columns: int) -> Any:
        """``(n, columns)`` what ``of`` says of logs of weight times density ``(n, K)``, and of labels, of the user's data."""

    def design(self) -> tuple[Integers, Integers]:
        """One row ``(m,)`` of each design there is, in an order of their own, and how many rows ``(m,)`` have it."""

    def drawn(self, published: P, rows: Integers, components: Integers, random: np.random.Generator) -> Any:
        """Data, as the family takes them, in the design of these rows, each from its component, without labels."""

    def kept(self) -> dict[str, Any]:
        """What the family's ``without_rows`` takes beside the weights, in lists, arrays and names; no outcome of a row."""

    def drawn_again(self, rows: Integers, counts: Integers) -> Self:
        """The same problem on some of its distinct rows, with other counts, in the same units."""

    def simulated(
        self, parameters: P, rows: Integers, components: Integers, labels: Integers, random: np.random.Generator
    ) -> Self:
        """The same problem on rows drawn anew from these components, in the design of its ``rows`` and the same units."""

    def doubt_of_derivatives(self, parameters: P, covariance: Floats) -> str | None:
        """Why second derivatives are too uncertain for standard errors, where they are; their ``(p, p)`` covariance is given."""

    def standard_errors(self, parameters: P, covariance: Floats, reason: str | None) -> Any:
        """The covariance of the full vector, ``(p, p)``, as the family's standard errors in the user's own units."""


def trusted[T](cls: type[T], **fields: Any) -> T:
    """Build a frozen value inside the loop without checking it again; the border checks what a user sees."""
    value = object.__new__(cls)
    for name, field in fields.items():
        object.__setattr__(value, name, field)
    return value


def responsibilities(log_joint: Floats, labels: Integers) -> tuple[Floats, Floats]:
    """Posterior probability of each component for each row, and the row's log-likelihood.

    Parameters
    ----------
    log_joint : ``(..., n, K)`` log of weight times density
    labels : ``(n,)`` known component, -1 where unknown

    Returns
    -------
    ``(..., n, K)`` responsibilities, each row summing to 1, and ``(..., n)`` log-likelihoods in nats. A row that is
    impossible under every component has log-likelihood -inf and NaN responsibilities.
    """
    known = np.flatnonzero(labels >= 0)
    if len(known):
        restricted = np.full_like(log_joint, -np.inf)
        restricted[..., known, labels[known]] = log_joint[..., known, labels[known]]
        restricted[..., labels < 0, :] = log_joint[..., labels < 0, :]
        log_joint = restricted
    # Component by component: NumPy's loops over a last axis of a few numbers take several times as long.
    columns = np.moveaxis(log_joint, -1, 0)
    largest = functools.reduce(np.maximum, columns)
    scaled = np.empty(columns.shape)
    with np.errstate(invalid="ignore"):
        np.exp(np.subtract(columns, largest, out=scaled), out=scaled)
    total = np.add.reduce(scaled, axis=0)
    row_log_likelihood = largest + np.log(total)
    row_log_likelihood[np.isneginf(largest)] = -np.inf
    scaled /= total
    return np.moveaxis(scaled, 0, -1), row_log_likelihood


def log_weights(weights: Floats) -> Floats:
    """Logarithm of the weights, -inf where a component is empty."""
    if weights.min() > 0:  # silencing a warning takes longer than the logarithm
        return np.asarray(np.log(weights))
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(weights))


def block_diagonal(*blocks: Floats) -> Floats:
    """Matrices ``(..., rows, columns)`` with the blocks along their diagonal; blocks without columns keep their rows."""
    many = np.broadcast_shapes(*(b.shape[:-2] for b in blocks))
    matrix = np.zeros((*many, sum(b.shape[-2] for b in blocks), sum(b.shape[-1] for b in blocks)))
    row = column = 0
    for block in blocks:
        below, right = row + block.shape[-2], column + block.shape[-1]
        matrix[..., row:below, column:right] = block
        row, column = below, right
    return matrix


def has_mode(name: str, number: float, least: float = 1.0) -> None:
    """Refuse a prior whose density is infinite at a bound, so that the log posterior has no maximum."""
    if number < least:
        raise ValueError(
            f"prior.{name} is {number:g}; below {least:g} the prior density is infinite at a bound and the posterior has no "
            f"mode: give at least {least:g} here, or sample the model instead"
        )


def fitting_start(start: Floats, weights: MixtureWeights) -> None:
    """Refuse start weights of another number of components, or other than the weights that are held fixed."""
    if len(start) != weights.n_components:
        raise ValueError(
            f"start has {len(start)} components but n_components is {weights.n_components}; give as many of both"
        )
    if weights.fixed is not None and not np.allclose(start, weights.fixed, rtol=0, atol=1e-8):
        raise ValueError(
            f"start.weights are {cut(str(start))} but the weights are held at {cut(str(weights.fixed))}; give the same values"
        )


def row_posteriors(mixture: Mixture[Any, Any], parameters: Any) -> tuple[Floats, Floats]:
    """``(..., n, K)`` responsibilities of the mixture's own distinct rows, and their ``(..., n)`` log-likelihoods."""
    joint = log_weights(parameters.weights)[..., None, :] + mixture.log_densities(parameters)
    return responsibilities(joint, mixture.labels)


def row_log_likelihoods(mixture: Mixture[Any, Any], parameters: Any) -> Floats:
    """``(..., n)`` the second of the same, for which not all responsibilities are held at once."""
    return np.concatenate([row_posteriors(part, parameters)[1] for part in parts(mixture)], axis=-1)


def parts(mixture: Mixture[Any, Any]) -> Iterator[Mixture[Any, Any]]:
    """The rows in parts whose scores take little memory."""
    n, rows = len(mixture.counts), max(AT_A_TIME // mixture.n_parameters, LEAST_ROWS)
    return iter([mixture]) if n <= rows else (mixture.part(slice(start, start + rows)) for start in range(0, n, rows))


def evaluated(mixture: Mixture[Any, Any], parameters: Any) -> tuple[Any, Floats]:
    """Statistics of the E-step, and the objective ``(...)`` in the mixture's own units."""
    statistics = mixture.e_step(parameters)
    return statistics, np.asarray(statistics.log_likelihood + mixture.log_prior(parameters))


def permuted_places(mixture: Mixture[Any, Any], permutation: Integers) -> Integers:
    """``(p,)`` where each entry of a full vector stands in the one whose components are not permuted yet."""
    places = np.arange(mixture.n_parameters)
    places[: mixture.n_components] = permutation
    for j, k in enumerate(permutation):
        places[mixture.own_coordinates(j)] = mixture.own_coordinates(int(k))
    return places


def off_bounds(mixture: Mixture[Any, Any], vector: Floats, margin: float) -> Floats:
    """The full vector with each parameter at least ``margin`` inside every bound it has; one without the bound stays."""
    inside = vector.copy()
    for place, bound in mixture.bounds():
        inside[place] = max(inside[place], margin) if bound == 0 else min(inside[place], 1 - margin)
    return inside
