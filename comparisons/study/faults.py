"""Faults planted on purpose, one at a time, in either engine, in the sampler or in the comparison itself.

A fault replaces one function by one that is wrong in a way that was seen in the wild. The checks are not told: they see the
numbers that a broken engine would have given them. EM's own guard against a falling objective is off, or it would stop
most broken steps before any check sees them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal
from unittest.mock import patch

import numpy as np

import em.climb
import em.coins
import em.gaussians
from comparisons import checks, engines
from comparisons.best_mode import objective
from comparisons.engines import Problem
from comparisons.result import Engine
from comparisons.study import broken_em, broken_pymc, broken_sampler
from em.fit import fit_mixture

# A fault in EM changes nothing where both of its estimates are as high as the sound ones to a thousandth of a standard
# error (half its square in nats), which is what "stationary" lets pass, and report their own log-likelihood.
SAME_HEIGHT = 5e-7
MOST_STEPS = 600


@dataclass(slots=True)
class Plant:
    """What a planted fault notes of itself while it is at work.

    Attributes
    ----------
    active : whether it has had any effect that can be seen without the checks, None where it is not for it to say
    """

    active: bool | None = None


type Planting = Callable[[Problem, Plant], list[Any]]


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault.

    Attributes
    ----------
    engines : who may be named for it
    kind : whether its effect is the same in any data, or depends on draws
    settings : where it is planted
    words : what is wrong
    patches : what to replace, given the problem and the note of its effects
    own_graph : whether it changes the graph that PyMC compiles
    """

    name: str
    engines: tuple[Engine, ...]
    kind: Literal["deterministic", "statistical"]
    settings: tuple[str, ...]
    words: str
    patches: Planting = field(repr=False)
    own_graph: bool = False

    @contextmanager
    def planted(self, problem: Problem) -> Iterator[Plant]:
        """Break what the fault breaks for as long as the block lasts."""
        plant = Plant()
        with ExitStack() as stack:
            for replaced in self.patches(problem, plant):
                stack.enter_context(replaced)
            if self.engines[0] == "em":
                stack.enter_context(patch.object(em.climb, "ROUNDING", np.inf))
                # Broken steps may go round for ever.
                bounded = partial(fit_mixture, max_iterations=MOST_STEPS)
                for family in (em.coins, em.gaussians):
                    stack.enter_context(patch.object(family, "fit_mixture", bounded))
            if self.own_graph:
                stack.enter_context(patch.object(engines, "_compiled", _compiled.setdefault(self.name, {})))
            yield plant

    def estimates(self, problem: Problem, seed: int) -> list[Any]:
        """Both estimates of EM, for a fault in EM; none for others."""
        return [problem.fit(prior, seed=seed) for prior in (None, problem.prior)] if self.engines[0] == "em" else []

    def changed(self, problem: Problem, broken: list[Any], plant: Plant, seed: int) -> bool:
        """Whether the fault changes the answer in these data, by a rule that knows nothing of the checks' outcomes."""
        if plant.active is not None or not broken:
            return plant.active is not False
        return _em_is_off(problem, broken, self.estimates(problem, seed))


_compiled: dict[str, dict[tuple[Any, ...], Any]] = {}


def _em_is_off(problem: Problem, broken: list[Any], sound: list[Any]) -> bool:
    """Whether either estimate or a reported height is not what sound EM gives, judged by the sound densities."""
    gaps = []
    for ill, well in zip(broken, sound, strict=True):
        parts = 1 if ill.log_posterior is None else 2
        heights = [sum(checks.em_densities(problem, f.parameters)[:parts]) for f in (ill, well)]
        gaps += [heights[1] - heights[0], objective(ill) - heights[0]]
    return any(not abs(gap) <= SAME_HEIGHT for gap in gaps)


def _em(name: str, words: str, settings: tuple[str, ...], patches: Planting, **options: Any) -> Fault:
    return Fault(f"em-{name}", ("em",), options.pop("kind", "deterministic"), settings, words, patches, **options)


def _pymc(name: str, words: str, settings: tuple[str, ...], patches: Planting, **options: Any) -> Fault:
    return Fault(f"pymc-{name}", ("pymc",), "deterministic", settings, words, patches, **options)


def _sampler(name: str, words: str, settings: tuple[str, ...], patches: Planting, **options: Any) -> Fault:
    return Fault(
        f"sampler-{name}", ("sampler",), options.pop("kind", "deterministic"), settings, words, patches, **options
    )


C, N = "coins-repeated", "normals-repeated"
T, M = "normals-tied-apart", "normals-three-clusters"

ALL = (
    _em(
        "divides-by-n", "The M-step divides by n instead of the responsibilities' sum.", (C, N), broken_em.divides_by_n
    ),
    _em("forgets-weights", "The E-step forgets the weights.", (C, N), broken_em.forgets_weights),
    _em("weights-not-updated", "The weights are never updated.", (C, N), broken_em.weights_not_updated),
    _em("hard-assignment", "Rows are assigned wholly to their likeliest component.", (C, N), broken_em.hard_assignment),
    _em("variance-n-minus-1", "Variances are divided by n_k - 1.", (N,), broken_em.divides_by_n_minus_1),
    _em(
        "sd-for-variance", "The standard deviation is used where the variance belongs.", (N,), broken_em.sd_for_variance
    ),
    _em("tied-unweighted", "The tied variance is pooled without weights.", (T,), broken_em.pooled_unweighted),
    _em("one-number-of-tosses", "The tosses of one bag are used for all.", (C,), broken_em.one_number_of_tosses),
    _em(
        "counts-ignored",
        "Rows that were seen several times count once.",
        (C, N, "normals-overlap"),
        broken_em.counts_ignored,
    ),
    _em("half-the-data", "The last half of the data is ignored.", (C, N), broken_em.half_the_data),
    _em("stopped-early", "EM stops after three steps and says that it has converged.", (C, N), broken_em.stopped_early),
    _em("saddle", "The saddle of equal components is reported.", (C, N), broken_em.at_the_saddle),
    _em("lesser-mode", "A lesser mode is reported.", (M, "normals-nested"), broken_em.lesser_mode, kind="statistical"),
    _em(
        "late-log-likelihood",
        "The log-likelihood is from before the last M-step.",
        (C, N),
        broken_em.late_log_likelihood,
    ),
    _em("no-binomial-coefficient", "The binomial coefficient is dropped.", (C,), broken_em.no_binomial_coefficient),
    _em(
        "prior-forgotten",
        "MAP-EM forgets the prior in one component.",
        (C, N, "coins-informed"),
        broken_em.prior_forgotten,
    ),
    _em("mode-on-other-scale", "MAP-EM finds the mode on another scale.", (C, N), broken_em.mode_on_other_scale),
    _pymc("other-prior", "The prior is not the declared one.", (C, N), broken_pymc.other_prior),
    _pymc(
        "sd-for-variance",
        "The variance is used as a standard deviation.",
        (N,),
        broken_pymc.sd_for_variance,
        own_graph=True,
    ),
    _pymc("row-dropped", "One observation is dropped.", (C, N), broken_pymc.row_dropped),
    _pymc("weights-not-normalised", "Weights sum to K.", (C, N), broken_pymc.weights_not_normalised, own_graph=True),
    _sampler(
        "lesser-mode", "All chains sit in a lesser mode.", (M,), broken_sampler.in_lesser_mode, kind="statistical"
    ),
    _sampler("frozen-chain", "One chain never moves.", (C, N), broken_sampler.frozen_chain),
    _sampler("copied-chain", "One chain is a copy of another.", (C, N), broken_sampler.copied_chain),
    _sampler("few-draws", "Each chain has 25 draws.", (C, N), broken_sampler.few_draws, kind="statistical"),
    _sampler(
        "tails-cut",
        "The outer 5 % on either side of one parameter are cut.",
        (C, N),
        broken_sampler.tails_cut,
        kind="statistical",
    ),
    _sampler(
        "neighbouring-data", "The draws are from data with one row changed.", (C, N), broken_sampler.neighbouring_data
    ),
    _sampler(
        "divergences-hidden",
        "Divergences of steps that are too long are not reported.",
        ("normals-few", "normals-plane"),
        broken_sampler.divergences_hidden,
        kind="statistical",
    ),
    Fault(
        "comparison-one-parameter-permuted",
        ("comparison", "sampler"),
        "deterministic",
        (C, N),
        "One parameter of the components is permuted alone.",
        broken_sampler.one_parameter_permuted,
    ),
    Fault(
        "comparison-stale-fit",
        ("comparison", "em"),
        "deterministic",
        (C, N),
        "EM's stored result is of data that have changed since.",
        broken_em.stale_fit,
    ),
)

FAULTS = {fault.name: fault for fault in ALL}
