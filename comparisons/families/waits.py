"""Families of waiting times, some of which were cut short: what a comparison knows of all of them."""

from __future__ import annotations

from abc import ABC
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

import numpy as np
from scipy import stats

from comparisons.declaration import Comparison
from comparisons.families.elementwise import ElementwiseFamily
from comparisons.families.family import Setup
from comparisons.families.rounding import rounding_step
from models.inputs import Floats, Integers


class WaitFamily(ElementwiseFamily, ABC):
    """See `comparisons.families.family.Family`."""

    roles, rows_told = ("wait", "censored"), "waiting times"
    columns_told = "wait, and censored (1, yes or true where it had not ended then, else 0), where some were cut short"

    meanings: ClassVar[dict[str, dict[str, int]]] = {
        "censored": dict.fromkeys(("1", "yes", "true"), 1) | dict.fromkeys(("0", "no", "false"), 0)
    }

    def from_roles(self, values: dict[str, Floats], counts: Any, labels: Any) -> Any:
        return self.data(values["wait"], values.get("censored"), counts, labels)

    def told_of(self, data: Any) -> list[str]:
        cut, mean = int(data.counts @ data.censored), data.counts @ data.y / data.n
        if not cut:
            return [f"None of {data.n} waits is censored; the mean wait is {mean:.4g}."]
        told = f"{cut} of {data.n} waits {'is' if cut == 1 else 'are'} censored"
        return [f"{told}; the mean wait is {mean:.4g}, until each ended or was cut short."]

    def of_censored(self, problem: Setup) -> str:
        """What the line of the model says of waits that were cut short, where there are any."""
        return "; of a censored row only that it is y[i] or more" if problem.data.censored.any() else ""

    def row(self, problem: Setup, i: int) -> str:
        data = problem.data
        return f"a wait of {data.y[i]:.6g}{' or more' if data.censored[i] else ''}"

    def again(self, data: Any, parameters: Any, components: Integers, random: np.random.Generator) -> Any:
        return data.again(parameters.simulate(components, random), random)

    def replicates(self, data: Any, every: Iterable[Any], random: np.random.Generator) -> Iterator[Any]:
        origin, step = data.y.min(), rounding_step(np.unique(data.y), data.n)
        for new in super().replicates(data, every, random):
            if step:
                # None is rounded to less than the least such wait that there can be.
                rounded = np.maximum(np.rint((new.y - origin) / step), -np.floor(origin / step)) * step + origin
                yield self.data(rounded, new.censored, None, new.labels)
            else:
                yield new

    def log_density(self, columns: Floats, arrays: dict[str, Floats]) -> Floats:
        y, censored = columns[..., 0], columns[..., 1]
        with np.errstate(all="ignore"):
            frozen = self.distribution(arrays)
            return np.asarray(np.where(censored == 1, frozen.logsf(y), frozen.logpdf(y)))

    def structure(self, problem: Setup) -> tuple[Any, ...]:
        return (bool(problem.data.censored.any()),)

    def unit_powers(self, comparison: Comparison) -> dict[str, int]:
        return {"wait": 1}

    def steps(self, data: Any) -> tuple[Floats, Floats]:
        # Of Kaplan and Meier (1958), JASA 53, 457.
        y, censored = np.repeat([data.y, data.censored], data.counts, axis=1)
        seen = stats.ecdf(stats.CensoredData(uncensored=y[censored == 0], right=y[censored == 1])).cdf
        return np.asarray(seen.quantiles), np.asarray(seen.probabilities)

    def most(self, data: Any) -> float:
        return float(data.y[data.censored == 1].min(initial=np.inf))

    def statistics(self, comparison: Comparison, data: Any) -> dict[str, float]:
        return super().statistics(comparison, data) | {
            "share of waits censored": float(data.counts @ data.censored / data.n)
        }

    def structurally_unidentified(self, problem: Setup) -> str | None:
        return None if (problem.data.censored == 0).any() else "no wait was seen to end, so all may last for ever"

    def notes(self, problem: Setup) -> dict[str, str]:
        cut = bool(problem.data.censored.any())
        return super().notes(problem) | {
            "distances": "Between the distribution function of the waits"
            f"{' by Kaplan and Meier, as some are censored,' if cut else ''} and the fitted one. ",
            "replicates": "watched for as long, " if cut else "",
        }
