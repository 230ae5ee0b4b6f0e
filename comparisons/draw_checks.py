"""The integrity checks of the draws: the chains have met, are of this posterior, and a second route agrees.

A comparison of NaN is never a pass: thresholds are written ``not (statistic <= threshold)``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtr

from comparisons.checks import SAME_DENSITY
from comparisons.engine_failures import EngineFailure
from comparisons.posterior import second_route
from comparisons.posterior.quadrature import ExactPosterior
from comparisons.posterior.second_route import SecondRoute
from comparisons.repeated_draws import repeated
from comparisons.results.result import Check
from comparisons.results.strict_json import number
from comparisons.summary.quantities import unit_of
from models.inputs import Floats

if TYPE_CHECKING:
    import xarray as xr

    from comparisons.posterior.stein import Identities

CONVERGED = "The sampler has converged"
R_HAT = 1.01
ESS = 400
E_BFMI = 0.3
# Standard deviations of the log density of draws between chains of which one is elsewhere for good.
APART = 10.0
# Error of the energy, in nats, at which the sampler gives up a trajectory; it then records one without bound.
DIVERGED = 1000.0
# Chance that check 7 fails where both routes are right: with sixteen comparisons one in sixty runs of all.
FALSE_ALARMS = 0.001
# The same of Stein's identities. Their Monte Carlo errors are themselves uncertain: at a nominal .001 some three of 350 sets of
# right draws failed, before the correction for skewness.
FALSE_ALARMS_OF_IDENTITIES = 0.0001
# Draws beyond a threshold below which a probability has no normal Monte Carlo error.
FEWEST_BEYOND = 20
# Two chains of a correct sampler never agree to this; copies do.
COPIED = 0.99


def all_finite(tree: xr.DataTree) -> None:
    """See that every draw is a number, without which nothing can be made of them.

    Raises
    ------
    EngineFailure
        with a check that names a variable and counts its draws
    """
    drawn: dict[Any, Any] = {**tree["posterior"].to_dataset().data_vars, "logp": tree["sample_stats"]["logp"]}
    for name, variable in drawn.items():
        missing = int((~np.isfinite(variable.values)).sum())
        if missing:
            text = f"{missing} of {variable.size} values that were drawn of {name} are not finite numbers."
            remedy = "Look at the model's density and gradient near the draws before."
            raise EngineFailure(
                Check("sampler-converged", CONVERGED, "inconclusive", None, R_HAT, text, "sampler", remedy)
            )


def low_chain(tree: xr.DataTree) -> tuple[int, float] | None:
    """The chain, counted from 1, that stays where the posterior is low, and by how many nats; None where none does."""
    log_densities = np.asarray(tree["sample_stats"]["logp"].transpose("chain", "draw").values)
    middles, spread = np.median(log_densities, axis=1), np.median(log_densities.std(axis=1))
    gap = float(np.ptp(middles))
    return (int(middles.argmin()) + 1, gap) if gap > APART * spread else None


def sampler_converged(
    summary: Any,
    tree: xr.DataTree,
    label_free: dict[str, Floats],
    reruns: int,
    regular_modes: int,
    posterior: xr.Dataset,
) -> Check:
    """Chains have mixed, on canonical draws and on quantities free of labels, and no draw is a copy of another."""
    title = CONVERGED
    draws = tree["posterior"].to_dataset()
    statistics = tree["sample_stats"].to_dataset()
    divergences = int(diverging(statistics).sum())
    energy = statistics["energy"].values
    with np.errstate(invalid="ignore"):
        bfmi = float(((np.diff(energy, axis=1) ** 2).mean(axis=1) / energy.var(axis=1)).min())
    r_hat, ess = (
        float(summary["r_hat"].max(skipna=False)),
        float(np.min([summary["ess_bulk"].min(skipna=False), summary["ess_tail"].min(skipna=False)])),
    )
    worst = str(summary["r_hat"].idxmax()) if np.isfinite(r_hat) else "some quantity"
    problems = []
    if not r_hat <= R_HAT:
        problems.append(f"R-hat of {worst} is {r_hat:.3f}, above {R_HAT}")
    if not ess >= ESS:
        problems.append(f"the smallest effective sample size is {ess:.0f}, below {ESS}")
    empty = [str(column) for column in summary.columns if column != "r_hat" and summary[column].isna().any()]
    if empty:
        problems.append(f"{' and '.join(empty)} of some quantity is not a number")
    if divergences:
        problems.append(f"{divergences} transitions diverged")
    if not bfmi >= E_BFMI:
        problems.append(f"E-BFMI is {bfmi:.2f}, below {E_BFMI}")
    missing = [name for name, drawn in label_free.items() if np.isnan(drawn).any()]
    if missing:
        problems.append(f"{' and '.join(missing)} is not a number at some draws")
    copies = copied_chains(label_free)
    if copies:
        problems.append(f"chains {copies[0]} and {copies[1]} are copies of one another")
    again_drawn = repeated(posterior, np.asarray(statistics["logp"].transpose("chain", "draw").values))
    if again_drawn:
        problems.append(again_drawn)
    chains, kept = draws.sizes["chain"], draws.sizes["draw"]
    again = (
        f" after {reruns} rerun{'s' if reruns > 1 else ''} with more draws, other starts or a higher acceptance target"
        if reruns
        else ""
    )
    if problems:
        sentence = "; ".join(problems)
        modes, remedy = "", "Try more draws, or a higher acceptance target."
        if regular_modes > 1 and not r_hat <= R_HAT:
            remedy = (
                "Try a sampler that moves between modes, or a prior or number of components under which one mode dominates; more "
                "draws help only where the chains do move."
            )
            modes = f" EM knows {regular_modes} regular modes of the posterior; chains that stay in different ones never meet."
        low = low_chain(tree)
        if low is not None and not modes:
            remedy = "Start the chains nearer to the data, or let them warm up for longer."
            modes = (
                f" Chain {low[0]} stays {low[1]:.3g} nats below the best one: it has not come to where the posterior is, most "
                "often since one of its components was left without rows on the way."
            )
        return Check(
            "sampler-converged",
            title,
            "inconclusive",
            number(r_hat),
            R_HAT,
            f"{sentence[0].upper()}{sentence[1:]}{again}. What the chains say of the posterior cannot be relied on.{modes}",
            "sampler",
            remedy,
        )
    return Check(
        "sampler-converged",
        title,
        "pass",
        r_hat,
        R_HAT,
        f"{chains} chains of {kept} draws{again}: largest R-hat {r_hat:.4f} ({worst}), smallest effective sample size "
        f"{ess:.0f}, no divergences, E-BFMI {bfmi:.2f}, no draw twice; on canonical draws and the log density.",
    )


def diverging(statistics: xr.Dataset) -> NDArray[np.bool_]:
    """``(chains, draws)`` whether a transition diverged, by its flag or, if that was lost, by the error of its energy."""
    # NaN, like an error without bound, is a divergence.
    lost = ~(np.abs(statistics["max_energy_error"].values) < DIVERGED)
    return np.asarray(statistics["diverging"].values.astype(bool) | lost)


def copied_chains(label_free: dict[str, Floats]) -> tuple[int, int] | None:
    """The first two chains whose draws of a label-free quantity are the same but for noise, else None."""
    for values in label_free.values():
        for one in range(len(values)):
            for other in range(one):
                if np.std(values[one]) == 0 or abs(np.corrcoef(values[one], values[other])[0, 1]) > COPIED:
                    return other, one
    return None


def draws_belong(recorded: Floats, sampled: Floats, canonical: Floats) -> Check:
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


def meets_identities(check: Check, identities: Identities | None) -> Check:
    """The check that draws belong, passed so far, with Stein's identities; None where they cannot be asked."""
    text = check.explanation
    if identities is None:
        asked = (
            "Stein's identities cannot be asked of them: there are too many labellings, or no gradient at some draw."
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
        f"false-alarm rate of {FALSE_ALARMS_OF_IDENTITIES:g}."
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


def posterior_agrees(
    route: SecondRoute | None,
    exact: ExactPosterior | None,
    converged: bool,
    summary: Any,
    values: dict[str, Floats],
    thresholds: dict[str, list[float]],
) -> Check:
    """NUTS and another route have the same means, and the same probabilities below fixed thresholds.

    Parameters
    ----------
    route : importance sampling guided by EM, None where there are too many labellings for it
    exact : the posterior by quadrature, None where it is not to be had; where it is, NUTS is held to it alone
    converged : whether the chains have
    summary : ArviZ's summary of the chains, by quantity
    values : ``(chains, draws)`` of each quantity
    thresholds : of each quantity, fixed without looking at any draw
    """
    title = "A second route to the posterior agrees"
    told = _told(route, exact)
    if exact is None and (route is None or not route.trusted):
        k_hat = None if route is None else number(route.k_hat)
        return Check("posterior-agrees", title, "not applicable", k_hat, second_route.K_HAT, told)
    if not converged:
        text = f"{told} The chains have not converged, so there is nothing to hold against it."
        return Check("posterior-agrees", title, "not applicable", None, None, text)
    scores = _scores(route, exact, summary, values, thresholds)
    allowed = float(-ndtri(FALSE_ALARMS / 2 / len(scores)))
    worst = max(scores, key=lambda name: abs(scores[name]) if np.isfinite(scores[name]) else np.inf)
    statistic = abs(scores[worst])
    against = "importance sampling" if exact is None else "the exact numbers"
    rate = f"at a false-alarm rate of at most {FALSE_ALARMS:g} for all together"
    counted = f"{len(scores)} means and probabilities compared, {rate}"
    if np.isnan(statistic):
        text = f"{told} The difference of NUTS from {against} in {worst} is not a number."
        return Check("posterior-agrees", title, "inconclusive", None, allowed, text, "sampler")
    if statistic <= allowed:
        text = (
            f"{told} NUTS agrees with {against}: {counted}; the largest difference, in {worst}, is {statistic:.1f} standard "
            "errors."
        )
        return Check("posterior-agrees", title, "pass", statistic, allowed, text)
    return Check(
        "posterior-agrees",
        title,
        "fail",
        number(statistic),
        allowed,
        f"{told} NUTS differs from {against} in {worst} by {statistic:.1f} Monte Carlo standard errors ({counted}).",
        "sampler",
        "Look at the chains: a mode that they miss, draws that were cut, or a file of another run.",
    )


def confirmed(first: Check, second: Check) -> Check:
    """The check that a second route agrees, failed by the ``first`` draws, beside the same of draws with another seed."""
    if second.outcome != "pass":
        told = "Draws with another seed do not agree either."
        return replace(first, explanation=f"{first.explanation} {told}")
    assert first.statistic is not None
    told = (
        f"The draws reported were off by {first.statistic:.1f} in one of these at first; draws with another seed are not, so "
        f"that was chance, which does so in one of {1 / FALSE_ALARMS:.0f} comparisons."
    )
    return replace(second, explanation=f"{second.explanation} {told}")


def _told(route: SecondRoute | None, exact: ExactPosterior | None) -> str:
    """What each route says of the log marginal likelihood."""
    sentences = []
    if exact is not None:
        sentences.append(
            f"Quadrature gives the exact posterior, with a log marginal likelihood of {exact.log_evidence:.4f}."
        )
    if route is None:
        sentences.append(
            "With so many exchangeable components there are too many labellings for importance sampling guided by EM."
        )
        return " ".join(sentences)
    doubt = "."
    if not route.trusted:
        doubt = f", but a k-hat above {second_route.K_HAT} means that it cannot be trusted here."
    elif exact is None:
        doubt = ". It draws around the modes that EM knows; a mode far from all of them it would miss."
    sentences.append(
        f"Importance sampling guided by EM ({route.effective:.0f} effective draws, Pareto k-hat {route.k_hat:.2f}) puts the "
        f"log marginal likelihood at {route.log_evidence:.3f} (standard error {route.log_evidence_error:.3f}){doubt}"
    )
    return " ".join(sentences)


def _scores(
    route: SecondRoute | None,
    exact: ExactPosterior | None,
    summary: Any,
    values: dict[str, Floats],
    thresholds: dict[str, list[float]],
) -> dict[str, float]:
    """Differences in standard errors, NUTS less the exact numbers or, where there are none, importance sampling.

    The standard error of a weighted mean is itself uncertain where few draws carry it, so a difference is judged by Student's
    t (Welch) and given as the standard normal deviate of the same probability.
    """
    scores: dict[str, float] = {}
    for name, draws in values.items():
        row = summary.loc[name]
        ess, unit = float(min(row["ess_bulk"], row["ess_tail"])), unit_of(draws)
        there = _Other(exact.means[name] / unit) if exact is not None else _Other.of(route, name, unit=unit)
        scores[f"the mean of {name}"] = there.score(float(row["mean"]) / unit, float(row["mcse_mean"]) / unit, ess)
        for j, threshold in enumerate(thresholds[name]):
            there = _Other(exact.below[name][j]) if exact is not None else _Other.of(route, name, threshold)
            here = float((draws < threshold).mean())
            other = 0.0 if route is None or exact is not None else route.effective
            pooled = there.value if exact is not None else (ess * here + other * there.value) / (ess + other)
            spread = pooled * (1 - pooled)
            if spread * ess < FEWEST_BEYOND or there.draws < FEWEST_BEYOND:
                continue  # too few draws beyond the threshold for a standard error of the difference
            scores[f"P({name} < {threshold:.4g})"] = there.score(here, float(np.sqrt(spread / ess)), ess)
    return scores


@dataclass(frozen=True, slots=True)
class _Other:
    """A number of the other route, its standard error, and how many draws that rests on."""

    value: float
    error: float = 0.0
    draws: float = np.inf

    @classmethod
    def of(cls, route: SecondRoute | None, name: str, threshold: float | None = None, unit: float = 1.0) -> _Other:
        """Mean of a quantity by importance sampling, in such units, or its probability below a threshold."""
        assert route is not None
        values = route.values[name]
        values = values / unit if threshold is None else (values < threshold).astype(float)
        return cls(*route.mean(values), route.contributing(values))

    def score(self, here: float, error: float, ess: float) -> float:
        """Difference of NUTS from this number as a standard normal deviate."""
        both = np.hypot(self.error, error)
        freedom = both**4 / (self.error**4 / max(self.draws, 1.0) + error**4 / ess)
        difference = (here - self.value) / both
        return float(np.sign(difference) * -ndtri(max(stdtr(freedom, -abs(difference)), np.finfo(float).tiny)))
