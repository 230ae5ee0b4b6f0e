"""Bags of tosses that are not in memory, as the distinct ones with their counts: all that a mixture of coins needs of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from em.rows.chunks import Rows
from em.rows.places import chunks_of
from models.coins.nouns import CoinTosses
from models.inputs import some_of
from models.tables import Columns


def distinct_tosses(y: Any, counts: Any = None, labels: Any = None) -> CoinTosses:
    """Read bags of tosses chunk by chunk, once, and count which there are.

    Parameters
    ----------
    y : ``(n_bags, 2)`` heads and tosses of each bag, where `em.gaussian_mixture` takes rows that are not in memory: a
        `numpy.memmap`, files, or Dask's; of a table the columns ``heads`` and ``tosses``
    counts : ``(n_bags,)`` how many such bags were seen; of a table the name of a column
    labels : ``(n_bags,)`` known coin of each bag, -1 where unknown; of a table the name of a column

    Returns
    -------
    `models.CoinTosses` for `em.coin_mixture` or `models.coin_mixture`; as many bags as differ in heads, tosses or label

    Raises
    ------
    TypeError, ValueError
        as `models.CoinTosses` does, with the chunk where the value is
    """
    chunks = chunks_of(y, counts, labels, Columns(("heads", "tosses")))
    if chunks is None:
        raise TypeError("y is in memory; give its columns to models.CoinTosses, which counts distinct bags by itself")
    if len(chunks.features) != 2:
        raise ValueError(f"y has the columns {some_of(chunks.features)}; give two: heads, and the tosses of each bag")
    return chunks.summed(_counted).tosses


@dataclass(frozen=True, slots=True, eq=False)
class _Counted:
    """Distinct bags of some rows; they add."""

    tosses: CoinTosses

    def __add__(self, other: _Counted) -> _Counted:
        both = (self.tosses, other.tosses)
        fields = (np.concatenate([getattr(t, f) for t in both]) for f in ("heads", "tosses", "counts", "labels"))
        return _Counted(CoinTosses(*fields).distinct())


def _counted(rows: Rows) -> _Counted | None:
    """The distinct bags of one chunk; None where no bag of it was seen."""
    seen = rows.counts is None or bool(np.asarray(rows.counts).any())
    heads, tosses = np.asarray(rows.y).T
    try:
        bags = CoinTosses(heads, tosses, rows.counts if seen else None, rows.labels)
    except (TypeError, ValueError) as error:
        raise type(error)(f"in {rows.place}: {error}") from None
    return _Counted(bags.distinct()) if seen else None
