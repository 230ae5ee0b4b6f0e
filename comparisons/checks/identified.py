"""Check 8: the data tell the parameters apart, by structure and by the rank of the information."""

from __future__ import annotations

import numpy as np

from comparisons.problem import Problem
from comparisons.results.result import Check
from comparisons.results.strict_json import number
from em.uncertainty.curvature import Curvature
from em.uncertainty.standard_errors import describe
from models.inputs import some_of

# Width of the middle half of a posterior over its prior's, from which on it is not shown to be the narrower one. Of draws of
# the prior itself, 400 effective ones, the smallest of 70,000 such ratios, of all quantities of five comparisons, was 0.785, and
# one in 10,000 was below 0.80: python -m benchmarks.contraction --repeats 2000.
CONTRACTED = 0.75


def identified(problem: Problem, judged: Curvature | None, contraction: dict[str, float]) -> Check:
    """The data tell the parameters apart: by structure and by the rank of the information; contraction is told beside it."""
    title = "The parameters are identified at the estimate"
    structural, design = problem.structurally_unidentified(), problem.identifiability()
    reasons = [] if structural is None else [structural]
    if judged is not None and judged.kind == "ridge":
        reasons.append(
            f"the likelihood is flat in {judged.flat_directions.shape[1]} of {len(judged.gradient)} directions, such as "
            f"{describe(judged.direction, problem.names)}"
        )
    told = _contracted(contraction)
    rank = None if judged is None else 1 - judged.rate
    if reasons:
        sentence = "; ".join(reasons)
        return Check(
            "identified",
            title,
            "fail",
            number(rank) if rank is not None else None,
            1e-8,
            f"{sentence[0].upper()}{sentence[1:]}. What the data do identify is compared in the table.{told}",
        )
    if judged is None or judged.kind in ("saddle",):
        return Check("identified", title, "not applicable", None, 1e-8, "There is no maximum at which to look.")
    if rank is None or np.isnan(rank):
        text = f"The rank of the observed information is not a number.{told}"
        return Check("identified", title, "inconclusive", None, 1e-8, text, "em")
    return Check(
        "identified",
        title,
        "pass",
        rank,
        1e-8,
        "The observed information has full rank, so there is one answer, however uncertain; its smallest share of the "
        f"complete-data information is {rank:.4g}.{design and f' {design}'}{told}",
    )


def _contracted(contraction: dict[str, float]) -> str:
    """Which posteriors are not shown to be narrower than their priors, or that all are; nothing without draws."""
    if not contraction:
        return ""
    weakest = min(contraction, key=lambda name: contraction[name])
    wide = (
        f"the middle half of the posterior of {weakest} is {1 - contraction[weakest]:.0%} as wide as its prior's, both in "
        "canonical order"
    )
    unshown = [name for name, share in contraction.items() if not 1 - share < CONTRACTED]
    if not unshown:
        return f" All quantities contract, the least of them so: {wide}."
    return (
        f" Of {some_of(unshown)} the data narrow the prior little or not at all: {wide}, and from {CONTRACTED:.0%} on that may "
        "be Monte Carlo error."
    )
