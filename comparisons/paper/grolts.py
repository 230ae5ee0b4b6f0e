"""GRoLTS, for what a mixture model's article is to report, and which of it this run reports.

After van de Schoot, Sijbrandij, Winter, Depaoli & Vermunt (2017), Structural Equation Modeling 24(3), 451,
https://doi.org/10.1080/10705511.2016.1247646: 16 items, some in parts, which makes 21. They are in words of our own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from comparisons.results.result import Result

type State = Literal["reported", "to add", "repeated measures only"]


@dataclass(frozen=True, slots=True)
class Item:
    """One item of the list: its number there, what is to be reported, and where it is or what the author adds."""

    number: str
    item: str
    state: State
    where: str = ""

    @property
    def told(self) -> str:
        """As a line."""
        return f"{self.number} {self.item}: {self.state}{f' ({self.where})' if self.where else ''}."


def items(result: Result) -> list[Item]:
    """Return all items, ticked by what the result holds."""
    fitted = any(q.em_se is not None for q in result.quantities)
    curves = bool(result.curves)
    # Which compares mixtures alone.
    numbers = "comparisons components" if result.model.component_names else ""
    return [
        Item("1", "Metric of time", "repeated measures only"),
        Item("2", "Mean and variance of time within a wave", "repeated measures only"),
        Item("3a", "Missing data mechanism", "to add"),
        Item("3b", "Variables that go with missing data", "to add"),
        Item(
            "3c", "How missing data were dealt with", "to add", "rows and cells left out, if any, stand in the report"
        ),
        Item("4", "Distribution of the observed variables", "reported", "Methods, the model"),
        Item("5", "Software", "reported", "Methods"),
        Item("6a", "Other forms of the variation within classes", "to add", "fit them and compare"),
        Item(
            "6b", "Variances and covariances that differ between classes, or do not", "to add", "fit both and compare"
        ),
        Item("7", "Other shapes of the trajectories", "repeated measures only"),
        Item("8", "Covariates, told so that the analysis can be repeated", "to add", "where there are any"),
        Item("9", "Numbers of random starts and of iterations", "reported" if result.em.modes else "to add", "Methods"),
        Item("10", "By what the models were compared and one was selected", "to add", numbers),
        Item("11", "Number of models fitted, one class among them", "to add", numbers),
        Item("12", "Cases in each class, for every model", "to add"),
        Item("13", "Entropy, where cases are to be classified", "to add", numbers),
        Item("14a", "Plot of the final solution", "reported" if curves else "to add", "figure of data and fits"),
        Item("14b", "Plots of the other models", "to add"),
        Item("14c", "Plot of observed individual trajectories with the means, by class", "repeated measures only"),
        Item(
            "15", "Final solution in numbers: estimates, errors, intervals", "reported" if fitted else "to add", "table"
        ),
        Item("16", "Files that make the analysis again", "reported", "command, seed and commit in Methods"),
    ]
