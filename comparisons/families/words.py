"""The model and its rows in words."""

from __future__ import annotations

from comparisons.families.family import Setup
from comparisons.results.result import NOTES, Model


def _number(value: float) -> str:
    return f"{value:.6g}"


def model(problem: Setup) -> Model:
    """What both engines were asked to fit."""
    c, prior = problem.comparison, problem.prior
    k = c.n_components
    held = problem.weights.fixed
    known = (problem.data.labels >= 0).any()
    hidden = problem.family.hidden_told(problem) if k > 1 else ""
    options = {"n_components": str(k)}
    if k > 1:
        options["weights"] = "free" if held is None else f"held at {', '.join(_number(w) for w in held)}"
        options["labels"] = "known" if (problem.data.labels >= 0).all() else "partly known" if known else "hidden"
    own, formula, priors = problem.family.words(problem)
    weights = f"weights ~ Dirichlet({', '.join([_number(prior.concentration)] * k)})"
    if held is not None:
        weights = f"weights are {options['weights']}" if k > 1 else ""
    rows = [f for f in (hidden, formula) if f]
    return Model(
        family=problem.family.name,
        n_components=k,
        component_names=list(c.components),
        options=options | own,
        formula=rows,
        prior=[*([weights] if weights else []), *priors],
        prior_reason=c.prior_reason,
        unit_powers=problem.family.unit_powers(c),
        notes=dict.fromkeys(NOTES, "") | {"average": problem.family.average} | problem.family.notes(problem),
    )


def row(problem: Setup, i: int) -> str:
    """What was observed in a row, and its component where that is known."""
    label = problem.data.labels[i]
    known = f" ({problem.comparison.components[label]})" if label >= 0 else ""
    return f"{problem.family.row(problem, i)}{known}"
