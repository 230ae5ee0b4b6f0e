"""Mixtures of linear regressions whose weights depend on covariates, the concomitants.

    w_ik  proportional to  w_k exp(c_i' g_k),    sum_k g_k = 0,

with the concomitants ``c_i`` of a row about their means, so that ``w_k`` are the weights at the average. That the gating
coefficients ``g_k`` sum to 0 is what makes them unique, and treats all components alike; against a reference component they are
differences. Source: Dayton & Macready (1988), JASA 83, 173; the M-step is that of a multinomial logit whose responses are the
responsibilities, by Newton's method, halved until the objective does not fall. Under the prior of `models.regressions` its
objective has, of each component,

    (c - 1) log w_k  -  sum_j (g_kj / gating_j)^2

more: ``c - 1`` rows at the average for the weights, and a ridge for the gating coefficients, so that they have a maximum where
a concomitant tells components of all rows apart too. Free coordinates of ``g_k`` are orthonormal, as those of the prior density.

What it does not do: weights that are held.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from em.elementwise import REAL
from em.mixture import EPSILON, block_diagonal, log_weights, trusted
from em.regressions.mixture import RegressionMixture
from em.regressions.steps import NOTHING, Moments
from em.regressions.units import Units
from em.uncertainty.scores import LARGEST_LOG
from em.weights import weight_basis
from models.display import displayed
from models.inputs import Floats, Integers, read_only
from models.mixtures import MixtureWeights
from models.regressions.nouns import ConcomitantParameters, RegressionPrior
from models.regressions.regressors import OF_WEIGHTS, RegressionRows, Regressors

# Log of a weight that is none, and of the least at which a step ends: what is smaller is no number that can be divided by.
EMPTY, LEAST = -700.0, -680.0
# Nats by which the odds of a row may move in one step of Newton's.
FARTHEST = 5.0
# Newton's steps of one M-step, halvings of each, and nats for each row that are left.
STEPS, HALVINGS, LEFT = 50, 30, 1e-15
# Share of a row that a row of average tells of the gates at the least, in the direction that it tells least of: below it the
# components are apart along a concomitant.
SEPARATED = 1e-7


@dataclass(frozen=True, slots=True, eq=False)
class GatingUnits:
    """The way from gating coefficients inside to those outside, ``inside @ turn'``, of concomitants about their means.

    Attributes
    ----------
    turn : ``(m, m)``, with which ``(concomitants - centres) @ turn`` is white
    centres, sizes : ``(m,)`` mean and standard deviation of each
    """

    turn: Floats
    centres: Floats
    sizes: Floats

    @classmethod
    def of(cls, data: RegressionRows) -> GatingUnits:
        """Units for these rows."""
        told = Regressors.of_concomitants(data)
        return cls(told.turn[1:, 1:], told.centres[1:], told.sizes[1:])

    @property
    def plain(self) -> GatingUnits:
        """The user's own, as where rows are compared."""
        return GatingUnits(np.eye(len(self.sizes)), self.centres, np.ones(len(self.sizes)))


@dataclass(frozen=True, slots=True, eq=False)
class ConcomitantStandardErrors:
    """Standard errors of `ConcomitantParameters`; attributes as in those of regressions."""

    weights: Floats
    gating: Floats
    coefficients: Floats
    variances: Floats
    standard_deviations: Floats
    reason: str | None
    covariance: Floats
    names: tuple[str, ...]

    __repr__ = displayed


class ConcomitantMixture(RegressionMixture):
    """See `em.mixture.Mixture`; the concomitants are the last columns of the rows' design."""

    kind = "regressions with concomitants"
    parameters: ClassVar[type[Any]] = ConcomitantParameters
    errors: ClassVar[type[Any]] = ConcomitantStandardErrors

    def __init__(
        self,
        data: RegressionRows,
        weights: MixtureWeights,
        prior: RegressionPrior | None,
        tied: bool = False,
        units: Units | None = None,
        gates: GatingUnits | None = None,
    ) -> None:
        self.m = m = data.n_concomitants
        self.gates_in = gates or GatingUnits.of(data)
        super().__init__(data, weights, prior, tied, units)
        k = self.n_components
        between: Floats = np.kron(np.eye(m), sum_to_zero(k)).astype(float)
        widths = np.ones((k, 1)) if tied else np.eye(k)
        self.basis = block_diagonal(weight_basis(k, None), between, np.eye(self.p * k), widths)
        # From coordinates in which gating coefficients sum to 0 to those in which each has its own.
        self.all_gates = block_diagonal(np.eye(k - 1), between, np.eye(self.p * k + widths.shape[1]))

    def _collect(self) -> None:
        super()._collect()
        if self.prior is not None:
            self.offset -= (self.n_components - 1) * float(np.log(np.diag(self.gates_in.turn)).sum())

    def regressors(self, data: RegressionRows) -> RegressionRows:
        made: RegressionRows = object.__new__(RegressionRows)
        own = data.design[:, : -self.m]
        # A part of the rows has no names.
        return made._set(self.covariates[: -self.m], data.y, own, data.counts, data.labels)

    def domains_before(self, data: RegressionRows) -> dict[str, Any]:
        return {f"gating, {name}": REAL for name in data.covariates[-self.m :]}

    def concomitants(self) -> Floats:
        return (self.data.design[:, -self.m :] - self.gates_in.centres) @ self.gates_in.turn

    # Weights of single rows

    def gating(self, parameters: Any) -> Floats:
        return np.concatenate(
            [np.maximum(log_weights(parameters.weights), EMPTY)[..., None], parameters.gating], axis=-1
        )

    def gates(self, parameters: Any, rows: slice | Integers) -> Floats:
        odds = parameters.gating @ self.beside[rows].T
        own = self.gating(parameters)[..., :1] + odds
        return np.asarray(odds - _log_sum(own)[..., None, :])

    def log_densities(self, parameters: Any) -> Floats:
        return self.about_lines(parameters) + np.swapaxes(self.gates(parameters, slice(None)), -1, -2)

    def of_weights(self, parameters: Any) -> tuple[Floats, Floats]:
        k, m, (n, _) = self.n_components, self.m, self.x.shape
        # Where the components are apart a weight at the average may be next to none.
        ratio = np.exp(np.minimum(self.gates(parameters, slice(None)), LARGEST_LOG / 2)).T
        shares = ratio * parameters.weights
        by_row, summed = np.zeros((n, self.n_parameters)), np.zeros((self.n_parameters, self.n_parameters))
        to = (1 + m) * k
        by_row[:, :k] = -ratio
        by_row[:, k:to] = -(self.beside[:, :, None] * shares[:, None, :]).reshape(n, m * k)
        # The derivative of -log S is minus that of S over S, and the second one has its square beside.
        counted = self.counts[:, None] * self.beside
        summed[:to, :to] = (by_row[:, :to] * self.counts[:, None]).T @ by_row[:, :to]
        of_each = np.einsum("il,ij->lj", counted, ratio)
        second = np.einsum("il,ih,ij->lhj", counted, self.beside, shares)
        for j in range(k):
            places = k * (1 + np.arange(m)) + j
            summed[j, places] -= of_each[:, j]
            summed[places, j] -= of_each[:, j]
            summed[np.ix_(places, places)] -= second[:, :, j]
        return by_row, summed

    def row_weights(self, parameters: Any, rows: slice | Integers) -> Floats:
        return np.asarray(np.exp(self.gates(parameters, rows) + self.gating(parameters)[..., :1]).T)

    # Steps

    def m_step(self, statistics: Moments) -> Any:
        found = super().m_step(statistics)
        sums = np.concatenate([statistics.rows[..., None], statistics.further], axis=-1)
        gating = self._logit(sums, statistics.gating)
        logs = gating[..., 0] - _log_sum(gating[..., :1])
        return self._with(found, np.exp(logs), gating[..., 1:] - gating[..., 1:].mean(axis=-2, keepdims=True))

    def _logit(self, sums: Floats, gating: Floats) -> Floats:
        """``(..., K, 1 + m)`` the multinomial logit with these sums of responses, from the given one, by Newton's method."""
        z, counts, ridge = np.column_stack([np.ones(len(self.y)), self.beside]), self.counts, self.ridge
        if self.prior is not None:
            # Rows at the average, of each component as many.
            sums, more = sums.copy(), self.prior.concentration - 1
            sums[..., 0] += more
            z, counts = np.vstack([z, np.eye(1, z.shape[1])]), np.append(counts, self.n_components * more)
        (k, q), counted = gating.shape[-2:], counts[:, None] * z
        products = (counted[:, :, None] * z[:, None, :]).reshape(-1, q * q)
        apart = np.kron(weight_basis(k, None), np.eye(q))

        def height(gating: Floats) -> Floats:
            linear = sums - 0.5 * gating @ ridge
            value = (linear * gating).sum(axis=(-2, -1)) - _log_sum(gating @ z.T) @ counts
            least = gating[..., 0].min(axis=-1) - _log_sum(gating[..., :1])[..., 0]
            return np.where(least < LEAST, -np.inf, value)

        at = height(gating)
        # Where components are apart the way may end at a weight that is next to none, and goes on no more.
        ended = np.zeros(at.shape, dtype=bool)
        for _ in range(STEPS):
            odds = gating @ z.T
            shares = np.exp(odds - _log_sum(odds)[..., None, :])
            slope = (sums - gating @ ridge - shares @ counted).reshape(*at.shape, k * q, 1)
            own = np.eye(k)[..., None] * shares[..., None, :] - shares[..., :, None, :] * shares[..., None, :, :]
            curved = np.swapaxes((own @ products).reshape(*at.shape, k, k, q, q), -3, -2).reshape(
                *at.shape, k * q, k * q
            ) + np.kron(np.eye(k), ridge)
            # In a direction that no row tells of it stays where it is.
            inverse = np.linalg.pinv(apart.T @ curved @ apart, rcond=NOTHING, hermitian=True)
            step = apart @ (inverse @ (apart.T @ slope))
            more = ~ended & (0.5 * (step * slope).sum(axis=(-2, -1)) > LEFT * self.n)
            step = step.reshape(gating.shape)
            # Where components are apart there is no end to it.
            length = np.minimum(1.0, FARTHEST / np.maximum(np.abs(step @ z.T).max(axis=(-2, -1)), FARTHEST))
            length = np.where(ended, 0.0, length)
            if not more.any():
                # The last step squares what is left; it gains less than can be measured, and may lose that.
                last = gating + length[..., None, None] * step
                taken = height(last) >= at - 4 * EPSILON * np.abs(at)
                return np.where(taken[..., None, None], last, gating)
            for _ in range(HALVINGS):
                tried = height(gating + length[..., None, None] * step)
                if (tried >= at).all():
                    break
                length = np.where(tried >= at, length, length / 2)
            else:
                ended |= ~(tried >= at)
                length, tried = np.where(ended, 0.0, length), np.maximum(tried, at)
            gating, at = gating + length[..., None, None] * step, tried
        return gating

    # The prior

    @property
    def precision(self) -> Floats:
        """``(m, m)`` of the gating coefficients of one component inside; 0 without a prior."""
        if self.prior is None:
            return np.zeros((self.m, self.m))
        root = np.sqrt(2) * self.gates_in.turn / self.prior.gating[:, None]
        return np.asarray(root.T @ root)

    @property
    def ridge(self) -> Floats:
        """``(1 + m, 1 + m)`` the same beside the log weight, which has none."""
        return np.pad(self.precision, (1, 0))

    def log_prior(self, parameters: Any) -> Floats | float:
        if self.prior is None:
            return 0.0
        free, gates, precision = self.n_components - 1, parameters.gating, self.precision
        constant = 0.5 * free * (np.linalg.slogdet(precision)[1] - self.m * np.log(2 * np.pi))
        own = constant - 0.5 * ((gates @ precision) * gates).sum(axis=(-2, -1))
        return np.asarray(super().log_prior(parameters) + own)

    def own_prior_derivatives(self, parameters: Any) -> tuple[Floats, Floats]:
        slopes, curved = super().own_prior_derivatives(parameters)
        m, whole = self.m, self._padded(curved)
        whole[:, :m, :m] = -self.precision
        return np.concatenate([-parameters.gating @ self.precision, slopes], axis=1), whole

    def start_from(self, responsibilities: Floats, *, wide: bool = True) -> Any:
        found = super().start_from(responsibilities, wide=wide)
        return self._with(found, found.weights, np.zeros((*found.weights.shape, self.m)))

    def _with(self, lines: Any, weights: Floats, gating: Floats) -> Any:
        own = {"coefficients": lines.coefficients, "variances": lines.variances}
        return trusted(ConcomitantParameters, weights=weights, gating=gating, **own)

    # Derivatives

    def scores(self, parameters: Any) -> Floats:
        own = np.broadcast_to(self.beside[:, None, :], (len(self.y), self.n_components, self.m))
        return np.concatenate([own, super().scores(parameters)], axis=-1)

    def complete_hessian(self, parameters: Any, weighted: Floats) -> Floats:
        return self._padded(super().complete_hessian(parameters, weighted))

    def _padded(self, own: Floats) -> Floats:
        return np.pad(own, ((0, 0), (self.m, 0), (self.m, 0)))

    def _of_components(self, own: Floats) -> Floats:
        return super()._of_components(own if own.shape[-1] == self.own_parameters else self._padded(own))

    def informations(self, parameters: Any) -> Floats:
        complete, missing = super().informations(parameters)
        return np.stack([complete - self.of_weights(parameters)[1], missing])

    def constrained(self, parameters: Any) -> bool:
        return super().constrained(parameters) or bool(self._apart(parameters))

    def held(self, vector: Floats) -> Floats:
        # From a weight below the least a step of the gates may end lower than it began.
        vector, k = super().held(vector), self.n_components
        return np.concatenate([np.maximum(vector[:k], np.exp(LEAST)), vector[k:]])

    def held_by(self, parameters: Any) -> str:
        if not self._apart(parameters):
            return super().held_by(parameters)
        return "where a concomitant tells components of all rows apart and its gating coefficients run to infinity"

    def _apart(self, parameters: Any) -> NDArray[np.bool_]:
        """Whether neither a prior nor the rows tell of some direction of the gates of a component that has rows.

        A row whose component the concomitants leave no doubt of tells of none, and one that lies between tells of one.
        """
        if self.prior is not None or self.n_components == 1:
            return np.zeros(parameters.weights.shape[:-1], dtype=bool)
        shares = np.swapaxes(self.row_weights(parameters, slice(None)), -1, -2)
        z = np.column_stack([np.ones(len(self.y)), self.beside])
        rows, open_ = shares @ self.counts, shares * (1 - shares) * self.counts
        least = np.linalg.eigvalsh(np.einsum("...kn,ni,nj->...kij", open_, z, z))[..., 0]
        return np.asarray(((least < SEPARATED * rows) & (rows >= 1)).any(axis=-1))

    # Vectors and units

    def made(self, weights: Floats, *fields: Floats) -> Any:
        lines = super().made(weights, *fields[self.m :])
        return self._with(lines, weights, np.stack(fields[: self.m], axis=-1))

    def fields(self, parameters: Any) -> list[Floats]:
        return [*np.moveaxis(parameters.gating, -1, 0), *super().fields(parameters)]

    def names(self) -> list[str]:
        k = range(1, self.n_components + 1)
        own, lines = super().names(), self.n_components
        told = [name.removeprefix(OF_WEIGHTS) for name in self.covariates[-self.m :]]
        gates = [f"gating[{j}, {name}]" for name in told for j in k]
        return [*own[:lines], *gates, *own[lines:]]

    def coordinates(self, parameters: Any, *, unbounded: bool) -> Floats:
        # The columns are orthonormal.
        return super().coordinates(parameters, unbounded=unbounded) @ self.all_gates

    def from_coordinates(self, x: Floats, *, unbounded: bool) -> tuple[Floats, Floats]:
        vector, slopes = super().from_coordinates(x @ self.all_gates.T, unbounded=unbounded)
        return vector, slopes @ self.all_gates

    def published(self, parameters: Any) -> Any:
        lines = self.units.published(parameters)
        return self._with(lines, lines.weights, read_only(parameters.gating @ self.gates_in.turn.T))

    def from_published(self, published: Any) -> Any:
        back = np.linalg.inv(self.gates_in.turn)
        return self._with(self.units.parameters(published), published.weights, published.gating @ back.T)

    @property
    def vector_units(self) -> Floats:
        k = self.n_components
        own = super().vector_units
        return np.concatenate([own[:k], np.repeat(1 / self.gates_in.sizes, k), own[k:]])

    def by_feature(self, directions: Floats) -> Floats:
        k, to = self.n_components, (1 + self.m) * self.n_components
        lines = super().by_feature(np.concatenate([directions[:k], directions[to:]]))
        turn = self.gates_in.turn * self.gates_in.sizes[:, None]
        gates = np.tensordot(turn, directions[k:to].reshape(self.m, k, -1), axes=1).reshape(directions[k:to].shape)
        return np.concatenate([lines[:k], gates, lines[k:]])

    def drawn(
        self, published: Any, rows: Integers, components: Integers, random: np.random.Generator
    ) -> RegressionRows:
        design = self.data.design[rows]
        return self.data.like(published.simulate(components, design[:, : -self.m], random), design)

    def kept(self) -> dict[str, Any]:
        gates = {name: getattr(self.gates_in, name) for name in GatingUnits.__slots__}
        return super().kept() | {"gates": gates}

    @classmethod
    def units_of(cls, kept: dict[str, Any]) -> tuple[Any, ...]:
        gates = {name: np.array(value, dtype=float) for name, value in kept["gates"].items()}
        return *super().units_of(kept), GatingUnits(**gates)

    def standard_errors(self, parameters: Any, covariance: Floats, reason: str | None) -> Any:
        if reason is None:
            covariance = self.by_feature(self.by_feature(covariance).T) * self.vector_units * self.vector_units[:, None]
        weights, *own, variances = self._split(np.sqrt(np.diag(covariance)))
        deviations = variances / (2 * self.published(parameters).standard_deviations)
        gating, lines = np.stack(own[: self.m], axis=-1), np.stack(own[self.m :], axis=-1)
        names = tuple(self.names())
        return ConcomitantStandardErrors(weights, gating, lines, variances, deviations, reason, covariance, names)


def sum_to_zero(k: int) -> Floats:
    """``(K, K - 1)`` orthonormal directions in which K numbers move while they sum to 0."""
    return np.linalg.qr(weight_basis(k, None))[0]


def _log_sum(odds: Floats) -> Floats:
    """Logarithm of the sum of exponentials over the components, the last axis but one."""
    largest = odds.max(axis=-2, keepdims=True)
    return np.asarray((largest + np.log(np.exp(odds - largest).sum(axis=-2, keepdims=True)))[..., 0, :])
