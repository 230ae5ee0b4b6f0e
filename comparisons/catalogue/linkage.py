"""Rao's genetic linkage: an EM written by hand, beside a PyMC program, of a model that is no mixture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from comparisons.declaration import Fitted
from comparisons.pair import Pair, PairDeclaration
from comparisons.results.report_data import Finding
from models.inputs import Floats

if TYPE_CHECKING:
    import pymc as pm


def cells(theta: Any) -> list[Any]:
    """Chances of the four kinds of offspring."""
    return [0.5 + theta / 4, (1 - theta) / 4, (1 - theta) / 4, theta / 4]


def log_likelihood(theta: float, animals: Floats) -> float:
    """Of the four counts, but for the multinomial coefficient."""
    return float(animals @ np.log(cells(theta)))


def e_step(theta: float, animals: Floats) -> float:
    """How many of the first kind are of the part of it that theta makes: expected, since its two parts look alike."""
    return float(animals[0] * theta / (2 + theta))


def m_step(made: float, animals: Floats) -> float:
    """The share of the animals that theta makes, of all that tell something of it; with a uniform prior the mode as well."""
    return float((made + animals[3]) / (made + animals[1:].sum()))


def complete(made: float, theta: float, animals: Floats) -> float:
    """Log-likelihood of the five kinds, had they been seen, with the count that was not in its place."""
    return float((made + animals[3]) * np.log(theta) + (animals[1] + animals[2]) * np.log(1 - theta))


def program(animals: Floats) -> pm.Model:
    """The same model as a PyMC program."""
    import pymc as pm

    with pm.Model() as model:
        theta = pm.Beta("theta", 1, 1)
        n, observed = pm.Data("n", animals.sum()), pm.Data("observed_animals", animals)
        pm.Multinomial("animals", n=n, p=pm.math.stack(cells(theta)), observed=observed)
    return model


def findings(fitted: Fitted) -> list[Finding]:
    """The equation that has the maximum for its root, and Louis' information."""
    a, b, c, d = fitted.data.tolist()
    theta = float(fitted.maximum_likelihood.parameters["theta"])
    # Of the score a / (2 + t) - (b + c) / (1 - t) + d / t.
    linear = a - 2 * (b + c) - d
    root = (linear + np.sqrt(linear**2 + 8 * d * (a + b + c + d))) / (2 * (a + b + c + d))
    complete = (a * theta / (2 + theta) + d) / theta**2 + (b + c) / (1 - theta) ** 2
    observed = a / (2 + theta) ** 2 + (b + c) / (1 - theta) ** 2 + d / theta**2
    return [
        Finding(
            "What is known in closed form",
            f"The maximum is the root {root:.7f} of a quadratic equation, and EM ends at {theta:.7f}. The observed information "
            f"there is {observed:.1f}; if all were seen it would be {complete:.1f} (Louis 1982). The share that is missing, "
            f"{1 - observed / complete:.4f}, is the rate at which EM converges.",
        )
    ]


LINKAGE = Pair(
    model=program,
    log_likelihood=log_likelihood,
    e_step=e_step,
    m_step=m_step,
    complete=complete,
    name="linkage",
)

COMPARISON = PairDeclaration(
    pair=LINKAGE,
    name="linkage",
    title="Genetic linkage",
    question="Of 197 animals, how closely are two genes linked?",
    dataset="linkage",
    description="197 animals of four kinds, the first of which is two kinds that look alike",
    unit="animals",
    data=lambda dataset: np.array([dataset.columns[kind][0] for kind in ("AB", "Ab", "aB", "ab")], dtype=float),
    prior_reason="Uniform, as Tanner and Wong have it: the posterior mode is the maximum of the likelihood.",
    findings=findings,
)


if __name__ == "__main__":
    import sys

    from comparisons.command.command_line import main

    main(["run", COMPARISON.name, *sys.argv[1:]])
