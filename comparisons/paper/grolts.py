"""GRoLTS, for what a mixture model's article is to report, and which of it this run reports.

After van de Schoot, Sijbrandij, Winter, Depaoli & Vermunt (2017), Structural Equation Modeling 24, 451; the
items are in words of our own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from comparisons.results.result import Result

type State = Literal["reported", "to add", "repeated measures only"]


@dataclass(frozen=True, slots=True)
class Item:
    """One item of the list: what is to be reported, and where it is or what the author adds."""

    item: str
    state: State
    where: str = ""

    @property
    def told(self) -> str:
        """As a line."""
        return f"{self.item}: {self.state}{f' ({self.where})' if self.where else ''}."


def items(result: Result) -> list[Item]:
    """Return all items, ticked by what the result holds."""
    fitted = any(q.em_se is not None for q in result.quantities)
    curves = bool(result.curves)
    return [
        Item("Metric of time", "repeated measures only"),
        Item("Spread of times within a wave", "repeated measures only"),
        Item("Why data are missing", "to add"),
        Item("What goes with being missing", "to add"),
        Item("How missing data were handled", "to add", "rows and cells left out, if any, stand in the report"),
        Item("Distribution of what was observed", "reported", "Methods, the model"),
        Item("Software and versions", "reported", "Methods"),
        Item("Other forms of the spread within components", "to add", "fit them and compare"),
        Item("Other forms of the covariances between components", "to add", "fit them and compare"),
        Item("Other shapes of the trajectories", "repeated measures only"),
        Item("Covariates, whether there were any", "to add"),
        Item("Starting points and iterations", "reported" if result.em.modes else "to add", "Methods"),
        Item("By what numbers of components were compared", "to add", "comparisons components"),
        Item("How many models were fitted, one component among them", "to add", "comparisons components"),
        Item("Size of each component", "to add", "rows in each, for every model compared"),
        Item("Entropy, where rows are assigned to components", "to add"),
        Item("Plot of the final solution", "reported" if curves else "to add", "figure of data and fits"),
        Item("Plots of the other models", "to add"),
        Item("Plot of individual trajectories with the means", "repeated measures only"),
        Item("Estimates with errors and intervals", "reported" if fitted else "to add", "table"),
        Item("The program that makes it again", "reported", "command, seed and commit in Methods"),
    ]
