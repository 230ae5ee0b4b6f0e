"""EM broken in one place each: what the faults of `comparisons.study.faults` put in place of the sound functions."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import numpy as np

import em.coins.mixture
import em.coins.steps
import em.kernel
import em.overdispersed
from comparisons import families
from comparisons.families.mixtures import MixtureProblem
from comparisons.problem import em_densities
from comparisons.study import settings
from comparisons.study.replaced import everywhere
from em.mixture import responsibilities
from em.search.optima import Mode

# Log densities times this leave responsibilities of 0 and 1.
STRETCH = 1e6
# Nats by which a step still raises the objective in a fit that is stopped by a common tolerance.
STILL_GAINED = 1e-4


def steps_replaced(problem: MixtureProblem, name: str, broken: Callable[..., Any]) -> list[Any]:
    """Method ``name`` of EM's mixture replaced by ``broken``, which is given the sound one first."""
    kind = type(problem.mixture(None))
    sound = getattr(kind, name)

    def replaced(self: Any, *arguments: Any, **options: Any) -> Any:
        return broken(sound, self, *arguments, **options)

    return [patch.object(kind, name, replaced)]


def with_fields(parameters: Any, **fields: Any) -> Any:
    """Parameters with other fields, unchecked as a broken step would leave them."""
    made = object.__new__(type(parameters))
    for each in dataclasses.fields(parameters):
        object.__setattr__(made, each.name, fields.get(each.name, getattr(parameters, each.name)))
    return made


def divides_by_n(problem: MixtureProblem, plant: Any) -> list[Any]:
    """M-step divides by n instead of the responsibilities' sum."""

    def m_step(sound: Any, self: Any, statistics: Any) -> Any:
        wrong = sound(self, settings.part_of(problem.family).of_everyone(statistics))
        return with_fields(wrong, weights=sound(self, statistics).weights)

    return steps_replaced(problem, "m_step", m_step)


def forgets_weights(problem: MixtureProblem, plant: Any) -> list[Any]:
    """E-step as if all weights were equal."""

    def e_step(sound: Any, self: Any, parameters: Any) -> Any:
        return sound(self, with_fields(parameters, weights=np.full_like(parameters.weights, 1 / self.n_components)))

    return steps_replaced(problem, "e_step", e_step)


def weights_not_updated(problem: MixtureProblem, plant: Any) -> list[Any]:
    """Weights stay equal, where they start."""

    def m_step(sound: Any, self: Any, statistics: Any) -> Any:
        parameters = sound(self, statistics)
        return with_fields(parameters, weights=np.full_like(parameters.weights, 1 / self.n_components))

    return steps_replaced(problem, "m_step", m_step)


def hard_assignment(problem: MixtureProblem, plant: Any) -> list[Any]:
    """Responsibilities of 0 and 1."""

    def hard(sound: Any, theta: Any, blocks: Any, replace: Any = None, also: Any = None) -> Any:
        def stretched(joint: Any, block: Any) -> None:
            joint /= STRETCH
            replace(joint, block)
            joint *= STRETCH

        # A softmax of stretched log densities is 1 for the largest.
        sums, _ = sound(STRETCH * theta, blocks, None if replace is None else stretched, also)
        return sums, sound(theta, blocks, replace)[1]

    def hard_rows(joint: Any, labels: Any, sound: Any = responsibilities) -> Any:
        return sound(STRETCH * joint, labels)[0], sound(joint, labels)[1]

    found = everywhere(em.kernel.posterior_sums, hard)
    return [*found, patch.object(em.overdispersed, "responsibilities", hard_rows)]


def divides_by_n_minus_1(problem: MixtureProblem, plant: Any) -> list[Any]:
    """Sample variances in place of maximum-likelihood ones."""

    def m_step(sound: Any, self: Any, statistics: Any) -> Any:
        parameters = sound(self, statistics)
        # A variance that is shared is one of all rows.
        own = statistics.rows.sum(axis=-1, keepdims=True) if self.form.tied else statistics.rows
        rows = np.maximum(own, 1.5)
        return with_fields(parameters, covariances=parameters.covariances * (rows / (rows - 1))[..., None, None])

    return steps_replaced(problem, "m_step", m_step)


def sd_for_variance(problem: MixtureProblem, plant: Any) -> list[Any]:
    """Square roots of the variances in their place."""

    def m_step(sound: Any, self: Any, statistics: Any) -> Any:
        parameters = sound(self, statistics)
        return with_fields(parameters, covariances=np.sqrt(np.maximum(parameters.covariances, 0)))

    return steps_replaced(problem, "m_step", m_step)


def pooled_unweighted(problem: MixtureProblem, plant: Any) -> list[Any]:
    """The mean of the components' variances, however few rows each has."""

    def m_step(sound: Any, self: Any, statistics: Any) -> Any:
        parameters = sound(self, statistics)
        shift = statistics.first / statistics.rows[..., None]
        own = statistics.second / statistics.rows[..., None, None] - shift[..., :, None] * shift[..., None, :]
        pooled = np.broadcast_to(own.mean(axis=-3, keepdims=True), own.shape).copy()
        return with_fields(parameters, covariances=pooled)

    return steps_replaced(problem, "m_step", m_step)


def other_data(problem: MixtureProblem, change: Callable[[Any], Any]) -> list[Any]:
    """EM's mixture built on data that are not what was given."""

    def init(sound: Any, self: Any, data: Any, *arguments: Any, **options: Any) -> None:
        sound(self, change(data.distinct()), *arguments, **options)

    return steps_replaced(problem, "__init__", init)


def with_rows(data: Any, columns: Any = None, counts: Any = None, labels: Any = None) -> Any:
    """The data with other columns, counts or labels."""
    family = families.of(data)
    columns = family.columns(data) if columns is None else columns
    counts = data.counts if counts is None else counts
    return family.with_columns(data, columns, counts, data.labels if labels is None else labels)


def some_rows(data: Any, kept: Any, counts: Any = None) -> Any:
    """The rows that are ``kept``, with other counts if there are any."""
    counts = data.counts if counts is None else counts
    return with_rows(data, families.of(data).columns(data)[kept], counts[kept], data.labels[kept])


def one_number_of_tosses(problem: MixtureProblem, plant: Any) -> list[Any]:
    """Every bag as if it had the tosses of the largest."""

    def longest(data: Any) -> Any:
        return with_rows(data, np.column_stack([data.heads, np.full_like(data.tosses, data.tosses.max())]))

    return other_data(problem, longest)


def counts_ignored(problem: MixtureProblem, plant: Any) -> list[Any]:
    """Every distinct row once."""
    return other_data(problem, lambda data: with_rows(data, counts=np.ones_like(data.counts)))


def as_if_ended(data: Any) -> Any:
    """Waits that were cut short taken for waits that ended then."""
    return with_rows(data, families.of(data).columns(data) * [1, 0])


def censoring_ignored(problem: MixtureProblem, plant: Any) -> list[Any]:
    """Every wait as if it had ended."""
    return other_data(problem, as_if_ended)


def concomitants_ignored(problem: MixtureProblem, plant: Any) -> list[Any]:
    """Every row has the weights at the average of the concomitants."""
    return steps_replaced(problem, "gates", lambda sound, self, *rest: 0.0 * sound(self, *rest))


def half_the_data(problem: MixtureProblem, plant: Any) -> list[Any]:
    """The first half of the distinct rows."""

    def half(data: Any) -> Any:
        return some_rows(data, slice(0, (len(data.counts) + 1) // 2))

    return other_data(problem, half)


def reported(change: Callable[..., Any]) -> list[Any]:
    """Every fit of the comparison reported otherwise than it was; ``change(sound, problem, fit, prior, start)``."""
    sound = MixtureProblem.fit

    def fit(self: MixtureProblem, prior: Any, start: Any = None, seed: int = 0, *, path: bool = False) -> Any:
        return change(self, sound(self, prior, start, seed, path=path), prior, start)

    return [patch.object(MixtureProblem, "fit", fit)]


def moved_to(problem: MixtureProblem, fit: Any, parameters: Any) -> Any:
    """The fit as if it had ended at other parameters, with their own log-likelihood."""
    likelihood, prior = em_densities(problem, parameters)
    posterior = None if fit.log_posterior is None else likelihood + prior
    return dataclasses.replace(
        fit,
        parameters=parameters,
        log_likelihood=likelihood,
        log_posterior=posterior,
        status="converged",
        modes=(Mode(likelihood, parameters, 1, True),),
    )


def stopped_early(problem: MixtureProblem, plant: Any) -> list[Any]:
    """The third point of the path."""

    def change(problem: MixtureProblem, fit: Any, prior: Any, start: Any) -> Any:
        return moved_to(problem, fit, fit.path[min(3, fit.iterations)])

    return reported(change)


def at_the_saddle(problem: MixtureProblem, plant: Any) -> list[Any]:
    """All components equal, at the fit of a single one."""

    def change(problem: MixtureProblem, fit: Any, prior: Any, start: Any) -> Any:
        p = fit.parameters
        if start is not None:
            return fit
        equal = settings.part_of(problem.family).all_equal(p)
        return moved_to(problem, fit, equal)

    return reported(change)


def lesser_mode(problem: MixtureProblem, plant: Any) -> list[Any]:
    """The second of the regular modes, whenever there is one."""
    plant.active = False

    def change(problem: MixtureProblem, fit: Any, prior: Any, start: Any) -> Any:
        lesser = [m for m in fit.modes if m.regular][1:]
        if start is not None or not lesser:
            return fit
        plant.active = True
        return moved_to(problem, fit, lesser[0].parameters)

    return reported(change)


def late_log_likelihood(problem: MixtureProblem, plant: Any) -> list[Any]:
    """The objective before the last step that still gained something."""

    def change(problem: MixtureProblem, fit: Any, prior: Any, start: Any) -> Any:
        trace = np.asarray(fit.trace)
        gained = np.flatnonzero(np.diff(trace) > STILL_GAINED)
        late = float(trace[-1] - trace[gained[-1]]) if len(gained) else 0.0
        posterior = None if fit.log_posterior is None else fit.log_posterior - late
        return dataclasses.replace(fit, log_likelihood=fit.log_likelihood - late, log_posterior=posterior)

    return reported(change)


def no_binomial_coefficient(problem: MixtureProblem, plant: Any) -> list[Any]:
    """Log densities without the constant."""
    from scipy.special import gammaln

    sound = em.coins.steps.log_densities

    def log_densities(parameters: Any, tosses: Any) -> Any:
        h, t = tosses.heads[:, None], tosses.tosses[:, None]
        return sound(parameters, tosses) - (gammaln(t + 1) - gammaln(h + 1) - gammaln(t - h + 1))

    def e_step(sound: Any, self: Any, parameters: Any) -> Any:
        statistics, tosses = sound(self, parameters), self.tosses
        terms = gammaln(tosses.tosses + 1) - gammaln(tosses.heads + 1) - gammaln(tosses.tosses - tosses.heads + 1)
        return dataclasses.replace(statistics, log_likelihood=statistics.log_likelihood - terms @ tosses.counts)

    without = [patch.object(module, "log_densities", log_densities) for module in (em.coins.steps, em.coins.mixture)]
    return [*without, *steps_replaced(problem, "e_step", e_step)]


def prior_forgotten(problem: MixtureProblem, plant: Any) -> list[Any]:
    """Maximum likelihood for the first component, whatever the prior."""

    def m_step(sound: Any, self: Any, statistics: Any) -> Any:
        parameters = sound(self, statistics)
        if self.prior is None:
            return parameters
        without = copy.copy(self)
        without.prior = None
        forgotten = sound(without, statistics)
        # Where the component's axis stands, counted from the end; a covariance that is shared is no component's own.
        axes = settings.part_of(problem.family).own_axes(self)
        mixed = {}
        for name, axis in axes.items():
            values = np.array(getattr(parameters, name))
            first = (..., 0) + (slice(None),) * (axis - 1)
            values[first] = getattr(forgotten, name)[first]
            mixed[name] = values
        return with_fields(parameters, **mixed)

    return steps_replaced(problem, "m_step", m_step)


def mode_on_other_scale(problem: MixtureProblem, plant: Any) -> list[Any]:
    """The mode of logits of head probabilities, or of log variances."""

    def m_step(sound: Any, self: Any, statistics: Any) -> Any:
        if self.prior is None:
            return sound(self, statistics)
        other = copy.copy(self)
        other.prior = settings.part_of(problem.family).prior_on_other_scale(self.prior)
        return sound(other, statistics)

    return steps_replaced(problem, "m_step", m_step)


def stale_fit(problem: MixtureProblem, plant: Any) -> list[Any]:
    """The fits of the same data before one row was changed."""
    before = neighbour(problem)

    def change(problem: MixtureProblem, fit: Any, prior: Any, start: Any) -> Any:
        if start is not None or problem is before:
            return fit
        return before.fit(prior)

    return reported(change)


def neighbour(problem: MixtureProblem) -> MixtureProblem:
    """The problem with one row changed: one head more or fewer in a bag, or half a standard deviation."""
    changed = with_rows(problem.data, settings.part_of(problem.family).neighbour(problem.family.columns(problem.data)))
    return dataclasses.replace(problem, data=changed.distinct())
