"""Columns of a table by name: which of them are measurements, counts and labels, and the same ones of a second table.

A column is known by its name as text, so that ``1`` and ``"1"`` are two columns alike. An array has no names: its columns
are known by their places.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from models.inputs import shown, some_of


@dataclass(frozen=True, slots=True)
class Columns:
    """What the columns of a table are.

    Attributes
    ----------
    features : names of the measurements, in order
    counts, labels : names of those two, None where the table has none
    """

    features: tuple[str, ...]
    counts: str | None = None
    labels: str | None = None

    @classmethod
    def of(cls, names: Iterable[Any], counts: str | None, labels: str | None) -> Columns:
        """Take all columns for measurements but those of counts and labels.

        Raises
        ------
        ValueError
            if a name is missing, empty or there twice, or no column is left
        """
        own = tuple(map(str, names))
        for argument, name in (("counts", counts), ("labels", labels)):
            if name is not None and name not in own:
                raise ValueError(f"{argument} is {shown(name)}, which is no column of y; {_instead(name, own)}")
        if counts is not None and counts == labels:
            raise ValueError(f"counts and labels are both {shown(counts)}; give a column for each, or leave one out")
        told_apart("column", own, "y")
        features = tuple(name for name in own if name not in (counts, labels))
        if not features:
            raise ValueError("y has no columns but its counts and labels; give at least one column of measurements")
        return cls(features, counts, labels)

    def found_in(self, names: Iterable[Any]) -> tuple[list[Any], Any, Any]:
        """The same columns in a table, which may have more, and in another order.

        Returns
        -------
        the table's own names of the features, of the counts and of the labels; None where it has no such column

        Raises
        ------
        ValueError
            if a feature is missing, with the nearest name that is there, or a column is there twice
        """
        there = tuple(names)
        own: dict[str | None, Any] = {str(name): name for name in there}
        times = Counter(map(str, there))
        for name in self.features:
            if name not in own:
                others = [other for other in times if other not in self.features]
                raise ValueError(f"the table has no column {shown(name)}, which is needed; {_instead(name, others)}")
        for known in (*self.features, self.counts, self.labels):
            if known is not None and times[known] > 1:
                raise ValueError(f"the table has {times[known]} columns named {shown(known)}; leave one of them")
        return [own[name] for name in self.features], own.get(self.counts), own.get(self.labels)


def told_apart(kind: str, names: Sequence[str], where: str) -> None:
    """Refuse names that are empty, or of which two are alike: nothing could be said of one of them."""
    for place, name in enumerate(names):
        if not name.strip():
            raise ValueError(f"{kind} {place + 1} of {where} has an empty name; give it one that a reader can see")
    name, times = Counter(names).most_common(1)[0] if names else ("", 0)
    if times > 1:
        raise ValueError(f"{where} has {times} {kind}s named {shown(name)}; give each a name of its own")


def _instead(name: str, others: Sequence[str]) -> str:
    """What may have been meant; capitals count for nothing."""
    alike = {other[:200].casefold(): other for other in others}
    near = difflib.get_close_matches(name[:200].casefold(), alike, n=1)
    if near:
        return f"the nearest is {shown(alike[near[0]])}: rename one if they are the same"
    return f"give one of {some_of(others)}" if others else "there are no other columns"
