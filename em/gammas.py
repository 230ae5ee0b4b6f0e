"""EM for mixtures of gamma-distributed waiting times, from one of K components that is not known; some are cut short at ``y``.

    E-step:  r_ik  proportional to  w_k f_k(y_i),  of a censored wait to  w_k P_k(y > y_i), of which the E-step completes
             l_ik = E[log y] and t_ik = E[y], both given that the wait is longer (`em.gamma_tails`)
    M-step:  shape a_k where  n_k (log a_k - psi(a_k)) = n_k log(sum_i r_ik t_ik / n_k) - sum_i r_ik l_ik,
             rate b_k = n_k a_k / sum_i r_ik t_ik,    w_k = (n_k + c - 1) / (n + K (c - 1)),    n_k = sum_i r_ik

and with a prior the mode of the same with it: the rate in closed form given the shape, the shape by Newton's method. Source:
Dempster, Laird & Rubin (1977), JRSS B 39, 1; Minka (2002), Estimating a Gamma distribution.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass
from typing import ClassVar, Self, Unpack

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import digamma, gammaln, polygamma, xlogy

from em.elementwise import POSITIVE, Domain, fit_elementwise
from em.exponential import ExponentialMixture, Sums, products
from em.fit import Fit, Options
from em.gamma_tails import Tail, tail
from em.mixture import DEAR_STEPS, EPSILON, log_weights, responsibilities, trusted
from em.waits import WatchedWaits
from em.weights import log_dirichlet, mode_of_weights
from models.display import displayed
from models.gammas import GammaParameters, GammaPrior, PositiveTimes
from models.inputs import Floats
from models.mixtures import Weights

# Means at which a component is tried, and how much narrower than all rows together in turn.
TRIED, NARROWER = 61, (1.0, 2.0, 4.0, 8.0)
# Shapes between which the M-step looks; beyond there is no width left.
SMALLEST, LARGEST, STEPS = 1e-8, 1e12, 100
# Times that a start completes waits which were cut short: each halves what is left where half of them were.
COMPLETIONS = 10
# Change of the logarithm of a shape.
SETTLED = 1e-9
# Stands for the time that waits take of which none ends.
ENDLESS = 1e250


@dataclass(frozen=True, slots=True, eq=False)
class GammaStandardErrors:
    """Standard errors of `models.GammaParameters`, the same shapes; 0 where held fixed, NaN where withheld.

    Attributes
    ----------
    reason : why they are withheld, None where they are not
    covariance : ``(3 K, 3 K)`` of the estimates, ordered as ``names``
    """

    weights: Floats
    shapes: Floats
    rates: Floats
    reason: str | None
    covariance: Floats
    names: tuple[str, ...]

    __repr__ = displayed


class GammaMixture(WatchedWaits, ExponentialMixture):
    """Features of a wait that ended are 1, its logarithm and its length; see `em.exponential.ExponentialMixture`."""

    kind = "gammas"
    noun, parameters, priors, errors = PositiveTimes, GammaParameters, GammaPrior, GammaStandardErrors
    domains: ClassVar[dict[str, Domain]] = {"shapes": POSITIVE, "rates": POSITIVE}
    # Below a shape of 2 the density of a small shape and its rate is infinite.
    modal: ClassVar[dict[str, float]] = {"shape_shape": 2.0, "rate_shape": 1.0, "concentration": 1.0}
    # As of normals of one feature.
    interpolated = 2
    # By their means.
    by_first = False
    data: PositiveTimes

    def places(self) -> Floats:
        return np.log(self.data.y)[:, None]

    def numbers(self) -> Floats:
        return self.data.columns

    def features(self) -> tuple[Floats, Floats]:
        y = self.data.y
        return np.stack([np.ones_like(y), np.log(y), y]), -np.log(y)

    def natural(self, parameters: GammaParameters) -> Floats:
        a, b = parameters.shapes, parameters.rates
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.stack([np.nan_to_num(xlogy(a, b) - gammaln(a), nan=-np.inf, neginf=-np.inf), a, -b], axis=-1)

    def natural_derivatives(self, parameters: GammaParameters) -> tuple[Floats, Floats]:
        a, b = parameters.shapes, parameters.rates
        first, second = np.zeros((len(a), 3, 2)), np.zeros((len(a), 3, 2, 2))
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            first[:, 0] = np.stack([np.log(b) - digamma(a), a / b], axis=-1)
            first[:, 1, 0], first[:, 2, 1] = 1.0, -1.0
            second[:, 0, 0, 0], second[:, 0, 1, 1] = -polygamma(1, a), -a / b**2
            second[:, 0, 0, 1] = second[:, 0, 1, 0] = 1 / b
        return first, second

    # Waits that were cut short

    def _collect(self) -> None:
        super()._collect()
        self.bounded = self.prior is not None
        self.cut = np.flatnonzero(self.data.censored)
        self.only_components = not len(self.cut)
        logs = np.log(self.data.y)
        self.spread = (
            np.sqrt(np.average((logs - np.average(logs, weights=self.counts)) ** 2, weights=self.counts)) or 1.0
        )
        if len(self.cut):
            self.replay_steps = DEAR_STEPS
            ended = self.data.censored == 0
            kept = self.unknown & ended
            self.pass_over(kept)
            if self.labelled is not None:
                told = np.equal.outer(np.arange(self.n_components), self.labels)
                self.labelled = (told * self.counts * ended) @ self.phi.T

    def tails(self, parameters: GammaParameters) -> tuple[Floats, Tail]:
        """``(..., m, K, 3)`` expected features of the censored waits, and the tails of rate 1 that they are in.

        At a rate of 0 all waits last for ever, and nothing is expected.
        """
        y, shapes, rates = (
            self.data.y[self.cut][:, None],
            parameters.shapes[..., None, :],
            parameters.rates[..., None, :],
        )
        endless, nothing = rates == 0, shapes == 0
        some = np.where(endless, 1.0, rates)
        found = tail(np.where(nothing, 1.0, shapes), y * some)
        whole = [np.ones_like(found.mean), found.mean_log - np.log(some), found.mean / some]
        held = Tail(*np.where(endless, 0.0, found))
        held = held._replace(log_probability=np.where(nothing, -np.inf, held.log_probability))
        return np.where(endless[..., None], [1.0, 0.0, 0.0], np.stack(whole, axis=-1)), held

    def e_step(self, parameters: GammaParameters) -> Sums:
        seen: Sums = super().e_step(parameters)
        if not len(self.cut):
            return seen
        whole, found = self.tails(parameters)
        joint = log_weights(parameters.weights)[..., None, :] + found.log_probability
        r, rows = responsibilities(joint, self.labels[self.cut])
        counts = self.counts[self.cut]
        weighted = r * counts[:, None]
        features = seen.features + np.einsum("...mk,...mkf->...kf", weighted, whole)
        # Of a component none of whose waits was seen to end the sum is what EM would only come to in the limit.
        none = (seen.features[..., 0] == 0) & (self.prior is None)
        features[..., 2] = np.where(none, ENDLESS, features[..., 2])
        return Sums(seen.log_likelihood + (rows @ counts)[()], seen.rows + weighted.sum(axis=-2), features)

    def start_from(self, responsibilities: Floats, *, wide: bool = True) -> GammaParameters:
        found: GammaParameters = super().start_from(responsibilities, wide=wide)
        if not len(self.cut):
            return found
        # That took waits for over when they were cut short.
        weighted = responsibilities * self.counts[:, None]
        cut, ended = weighted[..., self.cut, :], weighted * (self.data.censored[:, None] == 0)
        seen, rows, maker = (
            np.moveaxis(self.phi[1:-1] @ ended, -2, -1),
            weighted.sum(axis=-2),
            self.weak() if wide else self,
        )
        for _ in range(COMPLETIONS):
            # One without width is to stay what it is.
            narrow = np.isinf(found.shapes)
            shapes, rates = (np.where(narrow, 1.0, v) for v in (found.shapes, found.rates))
            whole = self.tails(trusted(GammaParameters, weights=found.weights, shapes=shapes, rates=rates))[0]
            made = maker.m_step(Sums(np.nan, rows, seen + np.einsum("...mk,...mkf->...kf", cut, whole)))
            shapes, rates = np.where(narrow, np.inf, made.shapes), np.where(narrow, np.inf, made.rates)
            found = trusted(GammaParameters, weights=made.weights, shapes=shapes, rates=rates)
        return found

    def log_densities(self, parameters: GammaParameters) -> Floats:
        found = super().log_densities(parameters)
        if len(self.cut):
            found[..., self.cut, :] = self.tails(parameters)[1].log_probability
        return found

    def scores(self, parameters: GammaParameters) -> Floats:
        found = super().scores(parameters)
        if len(self.cut):
            # As of a shape of 1 at a rate of 0.
            at_0 = np.stack(np.broadcast_arrays(0.0, -self.data.y[self.cut]), axis=-1)[:, None]
            slopes = np.nan_to_num(self.natural_derivatives(parameters)[0], posinf=0.0, neginf=0.0)
            own = np.einsum("mkf,kfq->mkq", self.tails(parameters)[0], slopes)
            found[self.cut] = np.where(parameters.rates[:, None] == 0, at_0, own)
        return found

    def complete_hessian(self, parameters: GammaParameters, weighted: Floats) -> Floats:
        curved = self.natural_derivatives(parameters)[1]
        features = self.phi[1:-1] @ np.where(self.data.censored[:, None] == 1, 0.0, weighted)
        if len(self.cut):
            ending = weighted[self.cut] * (parameters.rates > 0)
            features = features + np.einsum("mk,mkf->fk", ending, self.tails(parameters)[0])
        return products(features, curved, "fk,kfqr->kqr") + self.further_missing(parameters, weighted)

    def further_missing(self, parameters: GammaParameters, weighted: Floats) -> Floats:
        if not len(self.cut):
            return np.zeros(())
        _, found = self.tails(parameters)
        rates = np.where(parameters.rates == 0, 1.0, parameters.rates)
        crossed = -found.covariance / rates
        rows = [[found.variance_log, crossed], [crossed, found.variance / rates**2]]
        return np.asarray(np.einsum("mk,qrmk->kqr", weighted[self.cut], np.array(rows)))

    # The M-step

    def m_step(self, statistics: Sums) -> GammaParameters:
        n, (logs, sums) = statistics.features[..., 0], np.moveaxis(statistics.features[..., 1:], -1, 0)
        prior, concentration = self.prior, 1.0 if self.prior is None else self.prior.concentration
        more, less, alpha, beta = (
            (0.0, 0.0, 1.0, 0.0)
            if prior is None
            else (prior.shape_shape - 2, prior.shape_rate, prior.rate_shape, prior.rate_rate)
        )
        weights = mode_of_weights(statistics.rows, self.weights.fixed, concentration)
        # Of a component without rows, and without a prior, nothing is known: that of all rows serves.
        nothing = (n <= 0) & (prior is None)
        n, logs, sums = (np.where(nothing, v, w) for v, w in zip(self.total, (n, logs, sums), strict=True))
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            low, high = np.full(n.shape, np.log(SMALLEST)), np.full(n.shape, np.log(LARGEST))
            # By Stirling's series, where there is no prior.
            gap = np.log(sums / n) - logs / n
            t = np.log((3 - gap + np.sqrt((gap - 3) ** 2 + 24 * gap)) / (12 * gap))
            t = np.where((t > low) & (t < high), t, 0.0)
            for _ in range(STEPS):
                a = np.exp(t)
                over, under = n * a + alpha - 1, a * sums + beta
                slope = n * (t + 1 + np.log(over / under) - digamma(a)) + logs - over / under * sums + more / a - less
                bend = n * (1 / a - polygamma(1, a)) - more / a**2
                bend += (n * beta - sums * (alpha - 1)) ** 2 / (under**2 * over)
                low, high = np.where(slope > 0, t, low), np.where(slope > 0, high, t)
                newton = t - slope / (a * bend)
                inside = (newton >= low) & (newton <= high) & (bend < 0)
                before, t = t, np.where(inside, newton, (low + high) / 2)
                # After such a step of Newton's method what is left is its square.
                if (np.abs(t - before) <= np.where(inside, SETTLED, 4 * EPSILON)).all():
                    break
            # Equal waits have no width.
            shapes = np.where(
                (prior is None) & (gap <= 4 * EPSILON * np.maximum(np.abs(logs / n), 1)), np.inf, np.exp(t)
            )
            rates = shapes * (n * shapes + alpha - 1) / (shapes * sums + beta)
        if prior is None:
            shapes, rates = np.where(sums >= ENDLESS, 1.0, shapes), np.where(sums >= ENDLESS, 0.0, rates)
        return trusted(GammaParameters, weights=weights, shapes=shapes, rates=np.where(np.isinf(shapes), np.inf, rates))

    @property
    def total(self) -> Floats:
        """``(3,)`` features of all rows as if all had ended."""
        features: Floats = self.phi[1:-1] @ self.counts
        return features

    def weak(self) -> Self:
        weak = copy(self)
        # From no width EM cannot leave.
        shape = min(self.data.shape, LARGEST)
        weak.prior = GammaPrior(3.0, 1.0 / (self.n_components**2 * shape), 2.0, 2 * self.total[2] / self.total[0], 2.0)
        return weak

    def log_prior(self, parameters: GammaParameters) -> Floats | float:
        prior = self.prior
        if prior is None:
            return 0.0
        a, b = parameters.shapes, parameters.rates
        own = prior.shape_shape * np.log(prior.shape_rate) - gammaln(prior.shape_shape) - prior.shape_rate * a
        own = own + prior.rate_shape * np.log(prior.rate_rate) - gammaln(prior.rate_shape)
        with np.errstate(divide="ignore", invalid="ignore"):
            own += xlogy(prior.shape_shape - 1 - prior.rate_shape, a) + xlogy(prior.rate_shape - 1, b)
            own -= np.where(b == 0, 0.0, prior.rate_rate * b / a)
        total: Floats = own.sum(axis=-1) + log_dirichlet(parameters.weights, self.weights.fixed, prior.concentration)
        return total

    def own_prior_derivatives(self, parameters: GammaParameters) -> tuple[Floats, Floats]:
        a, b, prior = parameters.shapes, parameters.rates, self.prior
        more, beta = prior.shape_shape - 1 - prior.rate_shape, prior.rate_rate
        with np.errstate(divide="ignore", invalid="ignore"):
            first = np.stack(
                [more / a - prior.shape_rate + beta * b / a**2, (prior.rate_shape - 1) / b - beta / a], axis=1
            )
            crossed = beta / a**2
            rows = [[-more / a**2 - 2 * beta * b / a**3, crossed], [crossed, -(prior.rate_shape - 1) / b**2]]
        return first, np.moveaxis(np.array(rows), -1, 0)

    def spreads(self, parameters: GammaParameters) -> Floats:
        # Of the logarithm, as the rows are placed.
        return np.asarray(np.sqrt(polygamma(1, parameters.shapes)) / self.spread)

    def elsewhere(self, random: np.random.Generator) -> Iterator[tuple[Floats, Floats]]:
        means = np.exp(np.linspace(self.points.min(), self.points.max(), TRIED))
        for narrower in NARROWER:
            shape = min(self.data.shape, LARGEST) * narrower**2
            tried = trusted(GammaParameters, shapes=np.full(TRIED, shape), rates=shape / means)
            yield self.log_densities(tried), np.log(means)[:, None] * np.sqrt(shape)


def gamma_mixture(
    y: PositiveTimes | ArrayLike,
    n_components: int = 2,
    weights: Weights = "free",
    prior: GammaPrior | None = None,
    *,
    censored: ArrayLike | None = None,
    counts: ArrayLike | None = None,
    labels: ArrayLike | None = None,
    **options: Unpack[Options],
) -> Fit[GammaParameters, GammaStandardErrors]:
    """Fit a mixture of gamma distributions to waiting times by EM.

    Parameters
    ----------
    y : ``(n,)`` waits above 0, or `models.PositiveTimes` with all that belongs to them
    n_components, weights, prior, censored, counts, labels, options : as in `em.exponential_mixture`

    Returns
    -------
    `em.Fit` with `models.GammaParameters`, in every case: ``status`` tells a boundary, saddle, ridge or collapse from a maximum

    Raises
    ------
    TypeError, ValueError
        for rows fewer than components, weights, labels or a start that do not fit, or a prior without a mode
    ObjectiveDecreased
        if the objective falls beyond rounding
    """
    further = {"censored": censored, "counts": counts, "labels": labels}
    return fit_elementwise(GammaMixture, "y", y, n_components, weights, prior, further, **options)
