"""One comparison's data with one component, two, and so on: everything that says how many there are."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import entr

import em
from comparisons import DEFAULT_SEED, catalogue, datasets, families
from comparisons.components import conclusions, likelihood_ratio, marginal, record
from comparisons.components.marginal import Marginal
from comparisons.components.record import (
    SCHEMA_VERSION,
    BayesFactor,
    Candidate,
    Components,
    Criteria,
    LikelihoodRatio,
    Rival,
)
from comparisons.declaration import Comparison
from comparisons.families.mixtures import MixtureProblem
from comparisons.own import Own, key_of
from comparisons.results import provenance
from comparisons.results.files import directory_name
from comparisons.results.store import StoredResultError
from em.search.doubts import MINIMUM_RATIO

# Below this nobody asks how many components there are.
LEAST = 3


class NoQuestion(ValueError):
    """The number of components of this comparison is not in question; the message says why and what to ask instead."""


def compare(
    asked: str | Own[Comparison],
    most: int | None = None,
    *,
    seed: int = DEFAULT_SEED,
    out: Path | str | None = None,
    progress: Callable[[str, int, int], None] = lambda stage, done, of: None,
    command: str = "",
) -> Components:
    """Compare numbers of components from 1 on for the data and options of a comparison.

    Parameters
    ----------
    asked : one of those in ``comparisons list``, or own data as `comparisons.own.declared` reads them
    most : largest number of components; one more than the comparison has, and at least 3, where None
    seed : of all random numbers; what is found for K does not depend on ``most``
    out : directory in which ``<name>/components.json`` is stored; None writes nothing
    progress : called with the stage, and how many bootstrap samples of how many are done (0 and 0 elsewhere)
    command : that asked for it; where empty it was Python

    Raises
    ------
    comparisons.catalogue.UnknownComparison
        No comparison has this name.
    NoQuestion
        Its rows are labelled or its weights are held at given numbers, so that K is part of the data; or there are fewer
        rows than components.
    """
    if isinstance(asked, str):
        comparison = catalogue.declared(asked)
        dataset = datasets.load(comparison.dataset)
        told = command or f"comparisons components {asked}"
    else:
        comparison, dataset = asked.comparison, asked.dataset
        told = command or "comparisons.components.comparing.compare, in Python"
    if not isinstance(comparison, Comparison):
        raise NoQuestion(
            f"{comparison.name} is a pair of an EM and a program, which have no number of components to ask for"
        )
    most = max(comparison.n_components + 1, LEAST) if most is None else most
    base = refuse(comparison, dataset, most)
    started, began = datetime.now(UTC), time.perf_counter()
    problems = [with_components(base, k) for k in range(1, most + 1)]
    candidates, found, seconds = _candidates(problems, seed, progress)
    chosen, rival = conclusions.choices(candidates), None
    if comparison.rival and comparison.n_components <= most:
        progress(f"rival {comparison.rival}", 0, 0)
        rival = _rival(comparison, found[comparison.n_components - 1], base.family.name, seed)
    model = problems[-1].in_words()
    components = Components(
        schema_version=SCHEMA_VERSION,
        name=comparison.name,
        title=comparison.title,
        n=base.data.n,
        data_sha256=dataset.sha256,
        options={key: value for key, value in model.options.items() if key in ("weights", "covariance")},
        prior=model.prior,
        prior_note=base.family.prior_note(comparison.n_components),
        minimum_ratio=MINIMUM_RATIO,
        candidates=candidates,
        choices=chosen,
        conclusions=[
            *conclusions.sentences(candidates, chosen, free=comparison.weights == "free"),
            *([] if rival is None else [conclusions.against(candidates[rival.against - 1], rival)]),
        ],
        rival=rival,
        provenance=provenance.made(
            f"{told} --max {most} --seed {seed}",
            seed,
            started,
            {**seconds, "all": round(time.perf_counter() - began, 3)},
            _key(asked, dataset.sha256, most, seed),
        ),
    )
    if out is not None:
        record.write(components, Path(out) / directory_name(comparison.name))
    return components


def compare_once(
    own: Own[Comparison],
    places: Sequence[Path],
    *,
    seed: int,
    fresh: bool,
    progress: Callable[[str, int, int], None],
    command: str,
) -> Components:
    """Compare numbers of components up to those of ``own``, unless that is stored in the first of these directories."""
    most = own.comparison.n_components
    found = None
    # One that is damaged is made again.
    with suppress(StoredResultError):
        found = None if fresh else record.read(places[0])
    if found is None or found.provenance.key != _key(own, own.dataset.sha256, most, seed):
        found = compare(own, most, seed=seed, progress=progress, command=command)
    for place in places:
        record.write(found, place)
    return found


def _key(asked: str | Own[Comparison], sha256: str, most: int, seed: int) -> str:
    own = {} if isinstance(asked, str) else {"told": key_of(asked)}
    name = asked if isinstance(asked, str) else asked.comparison.name
    return provenance.key(name, sha256, {"components": most, "seed": seed, **own})


def refuse(comparison: Comparison, dataset: datasets.Dataset, most: int) -> MixtureProblem:
    """Refuse a comparison whose number of components is not in question, and return its problem.

    Raises
    ------
    NoQuestion
        as `compare`
    """
    problem = families.problem(comparison, comparison.data(dataset))
    c = problem.comparison
    if most < 2:
        raise NoQuestion(f"the largest number of components is {most}; there is nothing to compare below 2")
    if (problem.data.labels >= 0).any():
        twin = c.name.removesuffix("-labelled")
        instead = f"; ask it of the same rows without labels: comparisons components {twin}" if twin != c.name else ""
        raise NoQuestion(
            f"rows of {c.name} are labelled, so its {c.n_components} components are known to be there{instead}"
        )
    if not isinstance(c.weights, str):
        raise NoQuestion(
            f"the weights of {c.name} are held at given numbers, which exist for {c.n_components} components alone"
        )
    if most > problem.data.n:
        raise NoQuestion(f"there are {problem.data.n} rows for {most} components; ask for {problem.data.n} at most")
    return problem


def with_components(problem: MixtureProblem, k: int) -> MixtureProblem:
    """The same data, options and prior numbers with K components, named by their canonical position."""
    named = replace(problem.comparison, components=tuple(str(j + 1) for j in range(k)), prior=problem.prior)
    return MixtureProblem(problem.family, named, problem.data, problem.prior, problem.declared)


def _rival(comparison: Comparison, own: Marginal, family: str, seed: int) -> Rival:
    """The other model as it is declared, by the same criteria, of rows in the same order."""
    other = catalogue.declaration(comparison.rival)
    problem = families.problem(other, other.data(datasets.load(other.dataset)))
    fit, k = problem.fit(None, seed=seed), other.n_components
    found = marginal.marginal(problem, problem.fit(problem.prior, seed=seed), np.random.default_rng((seed, k)))
    # What is changed in one prior is no part of the other.
    factor = marginal.bayes_factor(replace(own, under={}), replace(found, under={}))
    candidate = _candidate(problem, fit, found, own, factor, None)
    return Rival(other.name, problem.family.name, family, comparison.n_components, problem.in_words().prior, candidate)


def _candidate(
    problem: MixtureProblem,
    fit: em.Fit[Any, Any],
    found: Marginal,
    smaller: Marginal | None,
    factor: BayesFactor | None,
    ratio: LikelihoodRatio | None,
) -> Candidate:
    return Candidate(
        n_components=problem.comparison.n_components,
        status=fit.status,
        log_likelihood=fit.log_likelihood,
        n_parameters=n_parameters(problem),
        smallest_ratio=families.of(fit.parameters).standard_deviation_ratio(fit.parameters),
        reservation=_reservation(problem, fit),
        criteria=criteria(problem, fit),
        evidence=marginal.evidence(found),
        leave_one_out=marginal.leave_one_out(found, smaller, problem.data.counts),
        bayes_factor=factor,
        likelihood_ratio=ratio,
    )


def _candidates(
    problems: list[MixtureProblem], seed: int, progress: Callable[[str, int, int], None]
) -> tuple[list[Candidate], list[Marginal], dict[str, float]]:
    candidates: list[Candidate] = []
    every: list[Marginal] = []
    seconds: dict[str, float] = {}
    smaller: tuple[MixtureProblem, em.Fit[Any, Any], Marginal] | None = None
    for k, problem in enumerate(problems, start=1):
        began = time.perf_counter()
        # Streams of their own, so that no number depends on how many components are asked for.
        for_draws, for_samples = np.random.default_rng((seed, k)).spawn(2)
        progress(f"K = {k}: EM", 0, 0)
        fit = problem.fit(None, seed=seed)
        progress(f"K = {k}: marginal likelihood", 0, 0)
        found = marginal.marginal(problem, problem.fit(problem.prior, seed=seed), for_draws)
        ratio = factor = None
        if smaller is not None:
            factor = marginal.bayes_factor(smaller[2], found)
            stage = f"K = {k}: bootstrap of {k - 1} against {k}"
            progress(stage, 0, likelihood_ratio.SAMPLES)

            def one_more(done: int, stage: str = stage) -> None:
                progress(stage, done, likelihood_ratio.SAMPLES)

            ratio = likelihood_ratio.bootstrap(smaller[0], problem, smaller[1], for_samples, one_more)
        candidates.append(_candidate(problem, fit, found, None if smaller is None else smaller[2], factor, ratio))
        every.append(found)
        smaller = (problem, fit, found)
        seconds[f"K = {k}"] = round(time.perf_counter() - began, 3)
    return candidates, every, seconds


def n_parameters(problem: MixtureProblem) -> int:
    """Free parameters: weights but one, means or head probabilities, free entries of the covariances."""
    return int(problem.mixture(None).basis.shape[1])


def criteria(problem: MixtureProblem, fit: em.Fit[Any, Any]) -> Criteria:
    """AIC, BIC and ICL of a maximum-likelihood fit; n is the number of rows, or of bags."""
    r = fit.responsibilities(problem.data)
    entropy = float(problem.data.counts @ entr(r).sum(axis=1))
    return Criteria(aic=fit.aic, bic=fit.bic, icl=fit.bic + 2 * entropy, entropy=entropy)


def _reservation(problem: MixtureProblem, fit: em.Fit[Any, Any]) -> str | None:
    """Why the criteria may not mean what they mean at a regular maximum, None where nothing speaks against them."""
    told = [] if fit.standard_errors.reason is None else [str(fit.standard_errors.reason)]
    ratio = families.of(fit.parameters).standard_deviation_ratio(fit.parameters)
    if ratio < MINIMUM_RATIO:
        told.append(
            f"standard deviations are in a ratio of {ratio:.2g}, below {MINIMUM_RATIO}, as at the spurious maxima of every "
            "Gaussian likelihood"
        )
    return "; and ".join(told) or None
