"""Check 9: EM's standard errors are those of the observed information, by derivatives that `em` did not write.

With ``x`` PyMC's unconstrained coordinates, ``K`` the derivative of the parameters by them, and ``V = R R'`` EM's covariance of
the parameters, let ``K B = R``: a step of 1 along a column of ``B`` is one of EM's standard errors. Then

    M = -B' (second derivatives of PyMC's log density by x) B

is the identity where ``V`` is the inverse of the observed information: at a maximum, where the gradient is 0, second
derivatives change with the coordinates as products of first ones. Its eigenvalues are those of one covariance relative to the
other, without units: the root of one is EM's standard error over the right one in some direction, correlations included.
Both derivatives are numerical, of PyMC's gradient and of its way from ``x`` to the parameters, by `scipy.differentiate`, which
tells their errors; what is said here of ``M`` is said beyond them.

The likelihood is asked at its maximum and the log posterior at its mode, whose information measures the distance of modes.
That the table of the comparison has the estimates and the errors of the fit is asked by a way of its own from one to the other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from comparisons.checks.evidence import curvature_of
from comparisons.checks.stationary import STATIONARY
from comparisons.problem import Fit, Prior, Problem
from comparisons.results.result import Check, Engine, Outcome, Quantity
from comparisons.results.strict_json import number
from em.uncertainty.curvature import Curvature
from models import LogPosterior
from models.inputs import Floats

TITLE = "EM's standard errors are those of the observed information"
# Relative: no digit that a report prints changes, and the smallest fault worth the name is a hundred times as large.
SAME_ERRORS = 1e-3
# What the error of the derivatives may hide: a hundredth of a standard error decides no adequacy. Where two features are one but
# for a hundredth of their spread, derivatives by doubles leave room for 0.001 in one set of five.
ROOM = 1e-2
# First steps of the differences, which are halved until their error is small: of EM's standard errors, and of the units of x.
STEP_ERRORS, STEP_UNITS = 0.1, 0.05
# Units of x that a first step is at most long.
LONGEST = 0.5
# Errors of differences that are small enough, a thousandth of what would decide.
ACCURATE = 1e-6
# Directions of smaller variance than this, relative to the largest, are rounding of a covariance of doubles.
ROUNDING = 1e-10


@dataclass(frozen=True, slots=True)
class Compared:
    """EM's covariance beside PyMC's second derivatives.

    Attributes
    ----------
    low, high : smallest and largest standard error over the right one, of all directions
    shown : relative deviation of the worst that is shown beyond the error of the derivatives
    possible : relative deviation that the worst may have within it; inf or NaN where the error is too large
    directions, left_out : how many were compared, and how many of the model's are too narrow for doubles
    worst : the parameter that moves most, in its standard errors, in the worst direction
    distance : from the estimate to PyMC's maximum, in right standard errors
    """

    low: float
    high: float
    shown: float
    possible: float
    directions: int
    left_out: int
    worst: str
    distance: float


# Where there are no derivatives.
UNKNOWN = Compared(np.nan, np.nan, 0.0, np.nan, 0, 0, "", np.nan)


def standard_errors(
    problem: Problem,
    density: LogPosterior,
    fits: tuple[Fit, Fit],
    judged: Curvature | None,
    table: Sequence[Quantity],
    found: Sequence[Check],
) -> Check:
    """Compare EM's covariances with PyMC's second derivatives, and the table with the fit.

    Parameters
    ----------
    fits : maximum likelihood and posterior mode
    judged : curvature at the maximum likelihood, of which the table is made
    table : quantities as they are printed
    found : the checks of both densities and of stationarity, without which nothing can be compared
    """
    short = next((c.title for c in found if c.name in ("same-density", "stationary") and c.outcome == "fail"), None)
    if short is not None:
        return _check("not applicable", None, f"Nothing to compare without the check “{short}”.")
    told = []
    worst = 0.0
    undecided: Check | None = None
    for fit, prior, place in zip(fits, (None, problem.prior), ("maximum", "posterior mode"), strict=True):
        reason = fit.standard_errors.reason
        if reason is None and fit.status == "boundary":
            told.append(
                f"At the {place} EM gives them given what is at a bound, where PyMC's coordinates are infinite."
            )
            continue
        if reason is not None:
            told.append(f"At the {place} EM gives none: {reason}.")
            continue
        compared = against_pymc(problem, density, fit, prior)
        worst = np.fmax(worst, compared.possible)
        if compared.shown > SAME_ERRORS:
            return _failed(compared, place)
        if not (compared.possible <= ROOM and compared.distance <= STATIONARY):
            undecided = undecided or _undecided(compared, place)
        left = f", {compared.left_out} more being too narrow for doubles" if compared.left_out else ""
        told.append(
            f"At the {place} EM's covariance is the inverse of PyMC's second derivatives: over all {compared.directions} "
            f"directions{left} no standard error is off by more than {compared.possible:.1e} of itself, the error of the "
            "numerical derivatives included."
        )
    off, why = _table_off(problem, fits[0], judged, table)
    if not off <= SAME_ERRORS:
        remedy = "Look at how the comparison reads the fit; the fit's own errors are those of the observed information."
        return _check("fail", off, why, "comparison", remedy)
    if undecided is not None:
        return undecided
    if all(fit.standard_errors.reason is not None or fit.status == "boundary" for fit in fits):
        return _check("not applicable", None, " ".join(told))
    return _check("pass", max(float(worst), off), f"{' '.join(told)} {why}".strip(), limit=ROOM)


def against_pymc(problem: Problem, density: LogPosterior, fit: Fit, prior: Prior | None) -> Compared:
    """Compare the covariance of a fit that has one with the second derivatives of what it maximised, by PyMC."""
    estimate, sizes = problem.entries(fit.parameters), problem.entries(fit.standard_errors)
    # What is held fixed has no error; any unit serves it.
    units = np.where(sizes > 0, sizes, 1.0)
    values, vectors = np.linalg.eigh(_in_errors(problem, fit, prior, units))
    kept = np.flatnonzero(values > ROUNDING * values[-1])
    root, inverse_root = vectors[:, kept] * np.sqrt(values[kept]), vectors[:, kept] / np.sqrt(values[kept])
    x = density.unconstrained(problem.to_pymc(fit.parameters))

    def parameters_at(step: Floats) -> Floats:
        return (problem.entries(problem.from_pymc(density.natural(x + step))) - estimate) / units

    with np.errstate(
        all="ignore"
    ):  # a first step may lead where a density under- or overflows: there is no derivative then
        slopes, slope_errors = _derivative(lambda z: parameters_at(z * density.scale), density.size, STEP_UNITS)
        if not np.isfinite(slopes).all():
            return UNKNOWN
        directions = np.linalg.lstsq(slopes, root, rcond=None)[0]
        slope_error = np.linalg.norm(np.abs(inverse_root.T) @ slope_errors @ np.abs(directions))
        outside = np.linalg.norm(inverse_root.T @ (root - slopes @ directions), axis=0)
        if outside.max() > slope_error + SAME_ERRORS:
            worst = problem.names[int(np.argmax(np.abs(root[:, int(np.argmax(outside))])))]
            return replace(UNKNOWN, shown=np.inf, directions=len(kept), worst=worst)
        by_error = directions * density.scale[:, None]
        # Near a bound a standard error is a step that leads out of all data on the unbounded scale.
        short = np.minimum(1.0, LONGEST / STEP_ERRORS / np.abs(directions).max(axis=0))
        steps = by_error * short
        curved, curved_errors = (
            matrix / short / short[:, None]
            for matrix in _derivative(
                lambda z: -steps.T @ density.gradient(x + steps @ z, prior=prior is not None), len(kept), STEP_ERRORS
            )
        )
        gradient = by_error.T @ density.gradient(x, prior=prior is not None)
        bends = [
            inverse_root.T @ (parameters_at(STEP_ERRORS * b) + parameters_at(-STEP_ERRORS * b)) / (STEP_ERRORS * s) ** 2
            for b, s in zip(steps.T, short, strict=True)
        ]
        error = (
            np.linalg.norm(curved_errors)
            + 0.5 * np.linalg.norm(curved - curved.T)
            # What moves the directions moves M twice.
            + 2 * (slope_error + np.linalg.norm(outside))
            # Off the maximum second derivatives have a part in how the coordinates bend.
            + np.linalg.norm(gradient) * np.linalg.norm(bends)
        )
    if not (np.isfinite(error) and np.isfinite(curved).all()):
        return UNKNOWN
    sizes_of, turned = np.linalg.eigh(0.5 * (curved + curved.T))
    nearest = np.clip(1.0, sizes_of - error, sizes_of + error)
    shown, possible = _deviations(nearest), np.fmax(_deviations(sizes_of - error), _deviations(sizes_of + error))
    at = int(np.argmax(_deviations(sizes_of)))
    worst = problem.names[int(np.argmax(np.abs(root @ turned[:, at])))]
    low, high = np.sqrt(np.maximum(sizes_of[[0, -1]], 0.0))
    distance = float(np.sqrt(((turned.T @ gradient) ** 2 / np.where(sizes_of > 0, sizes_of, np.nan)).sum()))
    left_out = max(density.size - len(kept), 0)
    return Compared(
        float(low), float(high), float(shown.max()), float(possible.max()), len(kept), left_out, worst, distance
    )


def _deviations(of_one: Floats) -> Floats:
    """Relative deviation of standard errors whose squares are these shares of the right ones, the same up and down."""
    with np.errstate(divide="ignore", over="ignore"):
        return np.asarray(np.expm1(np.abs(0.5 * np.log(np.maximum(of_one, 0.0)))))


def _in_errors(problem: Problem, fit: Fit, prior: Prior | None, units: Floats) -> Floats:
    """``(p, p)`` covariance of a fit, each parameter in its standard errors.

    In the user's units variances of covariances are fourth powers of them. Where doubles do not hold these, the covariance
    is made again from the information.
    """
    published = np.diag(fit.standard_errors.covariance)
    least = np.finfo(float).tiny / np.finfo(float).eps
    if (
        np.isfinite(published).all()
        and (published[published > 0] > least).all()
        and (published[units != 1.0] > 0).all()
    ):
        return np.asarray(fit.standard_errors.covariance / units / units[:, None])
    judged = curvature_of(problem, prior, fit)
    assert judged is not None
    basis = judged.basis / units[:, None]
    return np.asarray(basis @ np.linalg.solve(judged.information, basis.T))


def _derivative(of: Callable[[Floats], Floats], n: int, step: float) -> tuple[Floats, Floats]:
    """Derivative ``(m, n)`` at 0 of a function from ``(n,)`` to ``(m,)``, and the error of each entry."""
    from scipy.differentiate import jacobian

    def of_many(points: Floats) -> Floats:
        # SciPy begins with the same point for each coordinate.
        each, place = np.unique(points.reshape(n, -1), axis=1, return_inverse=True)
        values = np.stack([of(z) for z in each.T], axis=-1)
        return values[:, place.ravel()].reshape(-1, *points.shape[1:])

    found = jacobian(
        of_many,
        np.zeros(n),
        initial_step=step,
        order=4,
        maxiter=8,
        tolerances={"atol": ACCURATE / n, "rtol": ACCURATE / n},
    )
    return np.asarray(found.df), np.asarray(found.error)


def _table_off(problem: Problem, fit: Fit, judged: Curvature | None, table: Sequence[Quantity]) -> tuple[float, str]:
    """How far the table is off the fit, in standard errors or as a share of one, and a sentence."""
    if fit.standard_errors.reason is not None:
        if judged is not None and judged.kind == "ridge":
            return 0.0, "Of a ridge the table has the errors of what is identified."
        withheld = [q.name for q in table if q.em_se is not None]
        if withheld:
            return np.inf, f"The table prints standard errors of {', '.join(withheld)}, which EM withholds."
        return 0.0, ""
    expected = problem.of_fit(fit)
    worst, why = 0.0, ""
    for q in table:
        value, error = expected.get(q.name, (np.nan, np.nan))
        if error == 0 and q.em == value and not q.em_se:
            continue
        printed = np.array([np.nan if told is None else told for told in (q.em, q.em_se)])
        with np.errstate(all="ignore"):
            off = float(np.max([abs(printed[0] - value) / error, _deviations((printed[1] / error) ** 2)]))
        if not off <= worst:
            worst = off if off == off else np.inf
            why = (
                f"The table prints for {q.name} the estimate {q.em} and standard error {q.em_se}, where the fit has "
                f"{value:.6g} and {error:.6g}."
            )
    if worst <= SAME_ERRORS:
        return worst, "The table prints the estimates and standard errors of the fit."
    return worst, why


def _failed(compared: Compared, place: str) -> Check:
    """EM's covariance is another than PyMC's derivatives give."""
    share = (
        f"{compared.low:.3g} to {compared.high:.3g} times" if compared.directions > 1 else f"{compared.low:.3g} times"
    )
    text = (
        f"At the {place} EM's standard errors are {share} what PyMC's second derivatives give, over all {compared.directions} "
        f"directions; the worst moves {compared.worst} most. The error of these derivatives does not explain it."
    )
    if np.isinf(compared.shown) and np.isnan(compared.low):
        text = f"At the {place} EM's covariance moves parameters as the model cannot, {compared.worst} most of all."
    remedy = "Look at EM's second derivatives: the observed information is that of the data, not of the complete data."
    return _check("fail", compared.shown, text, "em", remedy)


def _undecided(compared: Compared, place: str) -> Check:
    """The derivatives are not good enough, or are not asked where the objective is at rest."""
    if not compared.possible <= ROOM:
        text = (
            f"At the {place} the numerical derivatives of PyMC's density leave room for a deviation of {compared.possible:.2g}: "
            "too much to judge EM's standard errors."
        )
        remedy = "Scale the data, or leave out what is not identified."
        return _check("inconclusive", compared.possible, text, "pymc", remedy, ROOM)
    text = (
        f"By PyMC's gradient the {place} is {compared.distance:.2g} standard errors away from EM's estimate, so second "
        "derivatives there are not those of a maximum."
    )
    return _check("inconclusive", compared.distance, text, "em", "Allow more iterations.", STATIONARY)


def _check(
    outcome: Outcome,
    statistic: float | None,
    text: str,
    engine: Engine | None = None,
    remedy: str | None = None,
    limit: float = SAME_ERRORS,
) -> Check:
    told = None if statistic is None else number(statistic)
    return Check("standard-errors", TITLE, outcome, told, limit, text, engine, remedy)
