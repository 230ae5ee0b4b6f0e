"""Faults planted on purpose, one at a time, in either engine, in the sampler or in the comparison itself.

A fault replaces one function by one that is wrong in a way that was seen in the wild. The checks are not told: they see the
numbers that a broken engine would have given them. EM's own guard against a falling objective is off but for the fault that
is there to meet it, or it would stop most broken steps before any check sees them. What both engines share is broken before
the rows are read. Faults of a size are for curves: from which size on is a fault seen?
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from comparisons.results.result import Engine
from comparisons.study import broken_comparison, broken_em, broken_pymc, broken_sampler, broken_search
from comparisons.study.fault import Fault, Planting
from comparisons.study.settings import PARTS
from comparisons.study.waits import WaitSetting


def _em(name: str, words: str, settings: tuple[str, ...], patches: Planting, **options: Any) -> Fault:
    return Fault(f"em-{name}", ("em",), options.pop("kind", "deterministic"), settings, words, patches, **options)


def _pymc(name: str, words: str, settings: tuple[str, ...], patches: Planting, **options: Any) -> Fault:
    options |= {"own_graph": options.get("own_graph", True)}
    return Fault(f"pymc-{name}", ("pymc",), "deterministic", settings, words, patches, **options)


def _sampler(name: str, words: str, settings: tuple[str, ...], patches: Planting, **options: Any) -> Fault:
    kind = options.pop("kind", "deterministic")
    return Fault(f"sampler-{name}", ("sampler",), kind, settings, words, patches, undecided=True, **options)


def _comparison(name: str, words: str, settings: tuple[str, ...], patches: Planting, **options: Any) -> Fault:
    engines: tuple[Engine, ...] = ("comparison", *options.pop("or_else", ()))
    return Fault(f"comparison-{name}", engines, "deterministic", settings, words, patches, **options)


def _shared(name: str, words: str, settings: tuple[str, ...], patches: Planting) -> Fault:
    return Fault(f"shared-{name}", ("comparison",), "deterministic", settings, words, patches, shared=True)


def _nan(name: str, words: str, patches: Planting) -> Fault:
    return Fault(f"nan-{name}", (), "deterministic", (C, N, *PLANE), words, patches, undecided=True)


C, N = "coins-repeated", "normals-repeated"
T, M = "normals-tied-apart", "normals-three-clusters"
# Forms of covariance that hold something back.
D, PT = "normals-plane-diagonal-apart", "normals-plane-tied-apart"
PLANE = (D, PT)
# Where any family shows what is broken in all of them, and the plane where each form may.
FAMILIES = tuple(part.PLANTED[0].name for part in PARTS.values())
EVERY = (*(name for name in FAMILIES if name != N), N, *PLANE)
# Rows of more than one column.
MANY = tuple(name for name in EVERY if name != N)
# Waits, some of them censored.
WAITS = tuple(s.name for part in PARTS.values() for s in part.PLANTED if isinstance(s, WaitSetting))
# Weights that depend on concomitants.
GATED = ("regressions-gated-fixed",)
# What an observed information is taken times.
FACTORS = (0.5, 1.2, 2.0)

ALL = (
    _em(
        "divides-by-n",
        "The M-step divides by n instead of the responsibilities' sum.",
        EVERY,
        broken_em.divides_by_n,
    ),
    _em("forgets-weights", "The E-step forgets the weights.", EVERY, broken_em.forgets_weights),
    _em("weights-not-updated", "The weights are never updated.", EVERY, broken_em.weights_not_updated),
    _em(
        "hard-assignment",
        "Rows are assigned wholly to their likeliest component.",
        EVERY,
        broken_em.hard_assignment,
    ),
    _em("variance-n-minus-1", "Variances are divided by n_k - 1.", (N, *PLANE), broken_em.divides_by_n_minus_1),
    _em(
        "sd-for-variance",
        "The standard deviation is used where the variance belongs.",
        (N, *PLANE),
        broken_em.sd_for_variance,
    ),
    _em("tied-unweighted", "The tied variance is pooled without weights.", (T, PT), broken_em.pooled_unweighted),
    _em("one-number-of-tosses", "The tosses of one bag are used for all.", (C,), broken_em.one_number_of_tosses),
    _em(
        "counts-ignored",
        "Rows that were seen several times count once.",
        (*EVERY, "normals-overlap"),
        broken_em.counts_ignored,
    ),
    _em("censoring-ignored", "Waits that were cut short are taken as ended.", WAITS, broken_em.censoring_ignored),
    _em(
        "concomitants-ignored",
        "All rows have the weights of the average one.",
        GATED,
        broken_em.concomitants_ignored,
    ),
    _em("half-the-data", "The last half of the data is ignored.", EVERY, broken_em.half_the_data),
    _em(
        "stopped-early",
        "EM stops after three steps and says that it has converged.",
        EVERY,
        broken_em.stopped_early,
    ),
    _em("saddle", "The saddle of equal components is reported.", EVERY, broken_em.at_the_saddle),
    _em("lesser-mode", "A lesser mode is reported.", (M, "normals-nested"), broken_em.lesser_mode, kind="statistical"),
    _em(
        "late-log-likelihood",
        "The log-likelihood is from before the last M-step that raised it by 1e-4 nats.",
        EVERY,
        broken_em.late_log_likelihood,
    ),
    _em("no-binomial-coefficient", "The binomial coefficient is dropped.", (C,), broken_em.no_binomial_coefficient),
    _em(
        "prior-forgotten",
        "MAP-EM forgets the prior in one component.",
        (*EVERY, "coins-informed"),
        broken_em.prior_forgotten,
    ),
    _em("mode-on-other-scale", "MAP-EM finds the mode on another scale.", EVERY, broken_em.mode_on_other_scale),
    _pymc("other-prior", "The prior is not the declared one.", EVERY, broken_pymc.other_prior, own_graph=False),
    _pymc(
        "sd-for-variance",
        "The variance is used as a standard deviation.",
        (N, D),
        broken_pymc.sd_for_variance,
    ),
    _pymc("row-dropped", "One observation is dropped.", EVERY, broken_pymc.row_dropped, own_graph=False),
    _pymc("censoring-ignored", "Waits that were cut short are taken as ended.", WAITS, broken_pymc.censoring_ignored),
    _pymc("weights-not-normalised", "Weights sum to K.", EVERY, broken_pymc.weights_not_normalised),
    _sampler(
        "lesser-mode", "All chains sit in a lesser mode.", (M,), broken_sampler.in_lesser_mode, kind="statistical"
    ),
    _sampler("frozen-chain", "One chain never moves.", EVERY, broken_sampler.frozen_chain),
    _sampler("copied-chain", "One chain is a copy of another.", EVERY, broken_sampler.copied_chain),
    _sampler("few-draws", "Each chain has 25 draws.", EVERY, broken_sampler.few_draws, kind="statistical"),
    _sampler(
        "tails-cut",
        "The outer 5 % on either side of one parameter are cut.",
        EVERY,
        broken_sampler.tails_cut,
        kind="statistical",
    ),
    _sampler(
        "neighbouring-data",
        "The draws are from data with one row changed.",
        EVERY,
        broken_sampler.neighbouring_data,
    ),
    _sampler(
        "divergences-hidden",
        "Divergences of steps that are too long are not reported.",
        ("normals-few", "normals-plane"),
        broken_sampler.divergences_hidden,
        kind="statistical",
    ),
    *(
        _em(
            f"information-times-{factor:g}",
            f"Standard errors are of an information {factor:g} times what it is.",
            EVERY,
            broken_search.information_times(factor),
            kind="deterministic",
        )
        for factor in FACTORS
    ),
    _em(
        "complete-data-errors",
        "Standard errors are of complete data, as if the components were seen.",
        EVERY,
        broken_search.complete_data_information,
    ),
    _em(
        "ranking-reversed",
        "The worst run of a search is returned.",
        (M, "normals-nested"),
        broken_search.ranking_reversed,
    ),
    _em(
        "prefers-collapsed",
        "A collapsed component is returned though a regular optimum is known.",
        (M, "normals-nested"),
        broken_search.prefers_collapsed,
        kind="statistical",
    ),
    _em(
        "one-start",
        "A search starts where all components are equal, and only there.",
        EVERY,
        broken_search.one_start,
    ),
    _em(
        "second-of-its-modes",
        "A lesser mode is returned, with the best in the list beside it.",
        (M, "normals-nested"),
        broken_search.second_of_its_modes,
        kind="statistical",
    ),
    _em(
        "lowers-its-objective",
        "An M-step lowers the objective, and EM's guard stops it.",
        EVERY,
        broken_search.lowers,
        guarded=True,
    ),
    _pymc("potential", "The model has a potential that was not declared.", EVERY, broken_pymc.potential),
    _pymc("jacobian-dropped", "Transforms have no Jacobian.", EVERY, broken_pymc.jacobian_dropped),
    _pymc(
        "ordering",
        "Components have to ascend, without the K! that belongs to it.",
        EVERY,
        broken_pymc.ordering,
    ),
    _pymc(
        "weights-left-free",
        "Weights that are declared to be equal are free.",
        ("coins-equal-apart", T),
        broken_pymc.weights_left_free,
    ),
    _pymc(
        "weights-at-zero",
        "Weights are those where concomitants are 0, not at their average.",
        GATED,
        broken_pymc.weights_at_zero,
        own_graph=False,
    ),
    _sampler("shifted-copies", "All chains are the first, begun elsewhere.", EVERY, broken_sampler.shifted_copy),
    _sampler("reversed-copy", "One chain is another one backwards.", EVERY, broken_sampler.reversed_copy),
    _comparison(
        "one-parameter-permuted",
        "One parameter of the components is permuted alone.",
        EVERY,
        broken_sampler.one_parameter_permuted,
        or_else=("sampler",),
    ),
    _comparison(
        "stale-fit",
        "EM's stored result is of data that have changed since.",
        EVERY,
        broken_em.stale_fit,
        or_else=("em",),
    ),
    _comparison("labels-rotated", "Components of the draws are read one off.", EVERY, broken_comparison.labels_rotated),
    _comparison(
        "errors-of-others",
        "The table prints the standard errors of other quantities.",
        EVERY,
        broken_comparison.errors_of_others,
    ),
    _shared(
        "rows-merged",
        "Bags of equal heads, or rows near each other, are one.",
        EVERY,
        broken_comparison.merges_rows,
    ),
    _shared("counts-dropped", "Both engines count each distinct row once.", EVERY, broken_comparison.drops_counts),
    _shared(
        "columns-sorted-apart",
        "Each column is sorted by itself.",
        MANY,
        broken_comparison.sorts_columns_apart,
    ),
    _shared(
        "wrong-shrinkage",
        "The default prior has another shrinkage.",
        ("normals-default-prior", "normals-plane-default-prior"),
        broken_comparison.wrong_shrinkage,
    ),
    _shared("wrong-order", "Components descend.", EVERY, broken_comparison.wrong_canonical_order),
    _shared(
        "variances-for-deviations",
        "Variances are called standard deviations, or the other way round.",
        (N, *PLANE),
        broken_comparison.variances_for_deviations,
    ),
    *(
        _nan(column.replace("_", "-"), f"{column} of a quantity is no number.", broken_comparison.no_number(column))
        for column in ("mean", "sd", "r_hat", "ess_bulk", "ess_tail", "mcse_mean", "mcse_sd")
    ),
    *(
        _nan(statistic.replace("_", "-"), f"{statistic} of a draw is no number.", broken_sampler.no_number(statistic))
        for statistic in ("energy", "logp")
    ),
    *(
        _nan(name.replace("_", "-"), f"A quantity's {name} is no number.", broken_comparison.no_estimate(name))
        for name in ("maximum_likelihood", "best_mode")
    ),
)


def _curve(curve: str, words: str, sizes: tuple[float, ...], made: Callable[[float], Planting]) -> tuple[Fault, ...]:
    return tuple(
        _sampler(f"{curve}-{size:g}", words, (C, N), made(size), kind="statistical", curve=curve, size=size)
        for size in sizes
    )


# Where a curve begins there is no fault, and its replicates are right.
SIZED = (
    *_curve(
        "wider",
        "Locations are this share farther from their mean.",
        (0.0, 0.01, 0.02, 0.03, 0.05, 0.07, 0.1),
        broken_sampler.wider,
    ),
    *_curve(
        "off",
        "One location is off by this many standard deviations.",
        (0.02, 0.03, 0.05, 0.07, 0.1),
        broken_sampler.shifted,
    ),
    *_curve(
        "neighbours",
        "This share of the draws is from data with one row changed.",
        (0.02, 0.05, 0.1, 0.2, 0.5),
        broken_sampler.share_of_neighbours,
    ),
)

FAULTS = {fault.name: fault for fault in (*ALL, *SIZED)}
