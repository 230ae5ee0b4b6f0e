"""Check 6: the draws are of this model and these data: their log density, their names, Stein's identities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from comparisons import quantities
from comparisons.checks.same_density import SAME_DENSITY
from comparisons.engine_failures import failing
from comparisons.posterior import stein
from comparisons.posterior.nuts import draw_values
from comparisons.problem import Fit, Problem
from comparisons.results.result import Check
from comparisons.results.strict_json import number
from models import LogPosterior
from models.inputs import Floats

if TYPE_CHECKING:
    import xarray as xr

STORED_DRAWS_CHECKED = 100


def as_recorded(recorded: Floats, sampled: Floats, canonical: Floats) -> Check:
    """The log density recomputed at stored draws is what the sampler recorded, and canonical order leaves it alone."""
    title = "The draws belong to this model and these data"
    worst = [
        float(np.max(np.where(np.isnan(errors), np.inf, errors)))
        for values in (sampled, canonical)
        for errors in [np.abs(recorded - values) / np.maximum(1.0, np.abs(values))]
    ]
    told = f"The log density recomputed at {len(recorded)} stored draws"
    if not worst[0] <= SAME_DENSITY:
        text = (
            f"{told} is not what the sampler recorded: the draws come from another model, other data, or a stale file."
        )
        return Check(
            "draws-belong", title, "fail", number(worst[0]), SAME_DENSITY, text, "sampler", "Run with --fresh."
        )
    if not worst[1] <= SAME_DENSITY:
        text = (
            f"{told} is what the sampler recorded, but not once they are in canonical order: components were mixed up."
        )
        remedy = "Permute all parameters of a component together, and only components that the model cannot tell apart."
        return Check("draws-belong", title, "fail", number(worst[1]), SAME_DENSITY, text, "comparison", remedy)
    text = f"{told}, as sampled and in canonical order, is what the sampler recorded, to rounding."
    return Check("draws-belong", title, "pass", max(worst), SAME_DENSITY, text)


def named(check: Check, misnamed: list[str]) -> Check:
    """The check that draws belong, passed so far, with the names of the components, which no density tells."""
    if not misnamed:
        return check
    told = f"But the coordinates of {' and '.join(misnamed)} are not the names declared: labels were mixed up after sampling."
    return replace(
        check,
        outcome="fail",
        statistic=float(len(misnamed)),
        threshold=0.0,
        explanation=f"{check.explanation} {told}",
        engine="comparison",
        remedy="Name the components of the draws once, after they were put in order.",
    )


def meets_identities(check: Check, identities: stein.Identities | None) -> Check:
    """The check that draws belong, passed so far, with Stein's identities; None where they cannot be asked."""
    text = check.explanation
    if identities is None:
        asked = (
            "Stein's identities cannot be asked of them: there are too many labellings, no gradient at some draw, or no "
            "coordinates without bounds."
        )
        return replace(check, explanation=f"{text} {asked}")
    counted, departure = f"{identities.n_identities} of Stein's identities", abs(identities.departure)
    if np.isnan(departure) or np.isnan(identities.allowed):
        lost = f"But of {counted} that for the {identities.field} has no Monte Carlo standard error."
        return replace(check, outcome="inconclusive", explanation=f"{text} {lost}", engine="sampler")
    if identities.hold:
        held = (
            f"The {counted} that were asked hold to {departure:.1f} Monte Carlo standard errors: no sign of tails that were "
            "cut. Of modes that no chain visited they say nothing."
        )
        return replace(check, explanation=f"{text} {held}")
    departs = (
        f"But of {counted} of draws from this posterior, that for the {identities.field} is off by {departure:.1f} Monte Carlo "
        f"standard errors, where {identities.allowed:.1f} are allowed at a nominal "
        f"false-alarm rate of {stein.FALSE_ALARMS_OF_IDENTITIES:g}."
    )
    return replace(
        check,
        outcome="fail",
        statistic=number(departure),
        threshold=identities.allowed,
        explanation=f"{text} {departs}",
        engine="sampler",
        remedy="Sample again with another seed. If it stays, look for draws that were cut or come from another posterior.",
    )


def draws_belong(
    problem: Problem,
    density: LogPosterior,
    posterior: xr.Dataset,
    tree: xr.DataTree,
    map_fit: Fit | None = None,
    fits: Sequence[Fit] = (),
) -> Check:
    """Recompute the log density, Jacobian included, at some draws of each chain, as sampled and in canonical order.

    All quantities, of draws and of EM's ``fits``, are read a second time by code that nothing else uses.
    Where ``map_fit`` is given, which is for chains that have met, Stein's identities are asked of the draws too.
    """
    sampled = tree["posterior"].to_dataset()
    log_density = np.asarray(tree["sample_stats"]["logp"])
    recorded: list[float] = []
    recomputed: dict[str, list[float]] = {"sampled": [], "canonical": []}
    per_chain = max(1, STORED_DRAWS_CHECKED // sampled.sizes["chain"])
    for chain in range(sampled.sizes["chain"]):
        for draw in np.linspace(0, sampled.sizes["draw"] - 1, per_chain).astype(int):
            recorded.append(log_density[chain, draw])
            for name, draws in (("sampled", sampled), ("canonical", posterior)):
                values = draw_values(draws, chain, int(draw))
                with failing("pymc"):
                    parts = density.parts(density.unconstrained({n: values[n] for n in density.names}))
                recomputed[name].append(sum(parts))
    check = as_recorded(*(np.array(v) for v in (recorded, recomputed["sampled"], recomputed["canonical"])))
    if check.outcome == "pass":
        estimates = [(f.parameters, quantities.of_parameters(problem, f.parameters)) for f in fits]
        third, values = problem.third, quantities.of_draws(problem, posterior)
        misread = None if third is None else third.misread(sampled, values, estimates)
        check = misread or named(check, _misnamed(problem, posterior))
    if map_fit is None or check.outcome != "pass":
        return check
    return meets_identities(check, stein.identities(problem, map_fit, posterior))


def _misnamed(problem: Problem, posterior: xr.Dataset) -> list[str]:
    """Coordinates of the draws that do not have the names declared."""
    named = problem.coordinates.items()
    return [dim for dim, names in named if dim in posterior.coords and posterior[dim].values.tolist() != names]
