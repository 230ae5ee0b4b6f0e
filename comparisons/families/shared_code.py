"""What both engines share, and so cannot find by comparing each other: rows as counted, and the numbers of a default prior.

Part of the check that both engines have the same density; the judge is `comparisons.families.third_density`.
"""

from __future__ import annotations

import numpy as np

from comparisons.declared_rows import DeclaredRows, differing_total
from comparisons.families import third_density
from comparisons.families.family import Setup
from comparisons.results.result import Check, Engine
from comparisons.results.strict_json import number
from models import LogPosterior

TITLE = "Both engines have the same density"
DATA_OF = {
    "em": "The data as EM got them",
    "pymc": "The data as PyMC got them",
    "comparison": "The data as both engines got them",
}
# Relative, of a number of the prior: sums of rows, each rounded, with a margin of thousands.
SAME_NUMBER = 1e-9


def other_data(problem: Setup, density: LogPosterior) -> Check | None:
    """A failed check where totals of what an engine got are not those of the rows as declared, else None."""
    family = problem.family
    names = family.column_names(problem)
    by_em = differing_total(*family.rows_of_em(problem, family.mixture(problem, None, standardise=False)), names)
    values = {variable.name: variable.get_value() for variable in density.model.data_vars}
    of_pymc = DeclaredRows.from_arrays(family.columns_of_pymc(values), values["counts"], values["labels"])
    by_pymc = differing_total(problem.declared, of_pymc, names)
    found = by_em or by_pymc
    if found is None:
        return None
    engine: Engine = "comparison" if by_em and by_pymc else "em" if by_em else "pymc"
    told, declared, got = found
    return Check(
        "same-density",
        TITLE,
        "fail",
        number(got - declared),
        0.0,
        f"{DATA_OF[engine]} are not those that were declared: the {told} is {got:.10g}, not {declared:.10g}.",
        engine,
        "Look at what counts and sorts the rows on the way from the declaration to the engines.",
    )


def other_prior(problem: Setup) -> Check | None:
    """A failed check where a number of the prior is not what the declared rows give, else None."""
    numbers = third_density.prior_numbers(problem)
    sizes = problem.family.number_sizes(numbers)
    for name, expected in numbers.items():
        got = np.asarray(getattr(problem.prior, name), dtype=float)
        size = sizes.get(name, np.abs(expected))
        wrong = ~(np.abs(got - expected) <= SAME_NUMBER * size)
        if np.any(wrong):
            place = tuple(int(j) for j in np.argwhere(wrong)[0]) if np.ndim(wrong) else ()
            at = f"[{', '.join(map(str, place))}]" if place else ""
            return Check(
                "same-density",
                TITLE,
                "fail",
                number(float(got[place] - np.asarray(expected)[place])),
                SAME_NUMBER,
                f"The prior that both engines got is not the declared one: {name}{at} is {got[place]:.10g}, where the rows as "
                f"declared give {np.asarray(expected)[place]:.10g}.",
                "comparison",
                "Look at what makes the prior from the data; both engines use its numbers.",
            )
    return None
