"""Part of check 1: a likelihood that is sampled in one compiled pass is that of PyMC's own distributions, and so is its gradient.

EM's E-step and the fused likelihood run over the same compiled code, so that their agreement is no evidence of it. On some of
the rows the function that the sampler is given is held against a model of PyMC's own distributions, which shares none of it.
"""

from __future__ import annotations

import numpy as np

from comparisons.capabilities import Parameters
from comparisons.families.shared_code import TITLE
from comparisons.problem import Problem
from comparisons.results.result import Check
from comparisons.results.strict_json import number
from models import LogPosterior

# Starts of the sampler at which the two are compared, beside the estimate.
STARTS = 3


def unlike_pymc(
    problem: Problem, density: LogPosterior, at: Parameters, same: float, random: np.random.Generator
) -> Check | str:
    """A failed check where value or gradient differ, else a sentence of what was sampled; empty where that is PyMC's own.

    ``same`` is the relative difference that is rounding, of the value and of the largest entry of the gradient.
    """
    models = problem.of_some_rows(random)
    if models is None:
        return ""
    by_pymc, as_sampled = models
    own = LogPosterior(by_pymc)
    x = own.unconstrained(problem.to_pymc(at))
    points = [*([x] if problem.interior(at) else []), *(own.spread_out_start(random) for _ in range(STARTS))]
    theirs = [own.value_and_gradient(x) for x in points]
    density.take_data(as_sampled)
    ours = [density.value_and_gradient(x) for x in points]
    density.take_data(problem.model())
    spare = 0.0 if problem.third is None else problem.third.rounding(at)
    errors = []
    for (value, slope), (other, other_slope) in zip(ours, theirs, strict=True):
        size = max(1.0, abs(other))
        errors.append(
            (
                max(abs(value - other) - spare, 0.0) / size,
                float(np.abs(slope - other_slope).max()) / max(size, float(np.abs(other_slope).max())),
            )
        )
    # NaN is no agreement.
    off, off_slope = (float(np.max(np.where(np.isnan(each), np.inf, each))) for each in zip(*errors, strict=True))
    rows = len(own.model["counts"].get_value())
    if max(off, off_slope) <= same:
        return (
            f" Sampled is a fused likelihood, one compiled pass that yields value and gradient, because there are "
            f"{problem.n:,} rows. On {rows:,} of them both equal those of PyMC's own distributions at {len(points)} points."
        )
    part = "value" if off > same else "gradient"
    return Check(
        "same-density",
        TITLE,
        "fail",
        number(max(off, off_slope)),
        same,
        f"The {part} of the fused likelihood that is sampled is not that of PyMC's own distributions: on {rows:,} rows they "
        f"differ by {max(off, off_slope):.3g} relative.",
        "pymc",
        "Look at the natural parameters of the family and at the compiled pass; a model with the likelihood of PyMC's own "
        'distributions, likelihood="pymc", has neither.',
    )
