"""Waiting times, some of which were cut short: what families of them have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from models.elementwise import CountedRows
from models.inputs import Floats, Integers, finite_array, whole_numbers


class Waits(CountedRows):
    """Waits ``y`` ``(n,)``, and whether each was ``censored`` ``(n,)``: 1 where it had not ended yet, 0 where it had."""

    __slots__ = ()
    y: Floats
    censored: Integers

    def _hold_waits(
        self, y: ArrayLike, censored: ArrayLike | None, counts: ArrayLike | None, labels: ArrayLike | None
    ) -> None:
        """Check and keep rows; TypeError, ValueError."""
        waits = finite_array("y", y, (1,))
        if (waits < 0).any():
            row = int(np.argmax(waits < 0))
            raise ValueError(f"y[{row}] is {waits[row]:g}; a wait is 0 at least")
        given = np.zeros(len(waits)) if censored is None else np.asarray(censored)
        cut = whole_numbers("censored", given.astype(int) if given.dtype.kind == "b" else given, least=0)
        if len(cut) != len(waits):
            raise ValueError(f"censored has {len(cut)} values but y has {len(waits)}; give one per row")
        for wrong, told in ((cut > 1, "1 where a wait had not ended, else 0"), ((cut == 1) & (waits == 0), "")):
            if wrong.any():
                row = int(np.argmax(wrong))
                seen = f"censored[{row}] is {cut[row]}; give {told}"
                raise ValueError(
                    seen if told else f"y[{row}] is 0 and censored, so nothing was seen; leave the row out"
                )
        if not waits.any():
            raise ValueError("y is 0 in every row, so no rate is large enough; give waits some of which are longer")
        self._hold(counts, labels, y=waits, censored=cut)

    @property
    def rate(self) -> float:
        """Waits that ended over the time waited, of all rows together."""
        return float(self.counts @ (1 - self.censored) / (self.counts @ self.y))

    @property
    def no_events(self) -> str:
        """What there is where the rate is 0."""
        return "every wait is censored"

    def again(self, waits: Floats, random: np.random.Generator) -> Any:
        """Such data of other waits ``(n,)``, one a row, watched as long as these: each row counts once, and none is labelled.

        Until when a wait that ended would have been watched is not known. It is drawn from the distribution of those times by
        Kaplan and Meier, given that it is later (Davison & Hinkley 1997, Bootstrap Methods and their Application, algorithm
        3.1).
        """
        y, cut = self.y, self.censored == 1
        ends, many = np.unique(y[cut], return_counts=True)
        there = (y[:, None] > ends).sum(axis=0) + many
        watched = np.cumprod(1 - many / there)
        still = np.append(1.0, watched)[np.searchsorted(ends, y)]
        place = np.searchsorted(-watched, -random.random(len(y)) * still)
        limits = np.where(cut, y, np.append(ends, np.inf)[place])
        return type(self)(np.minimum(waits, limits), waits > limits)  # type: ignore[call-arg]


def log_density_of(base: Any, y: Any, censored: Any, log_survival: Callable[[Any], Any] | None) -> Any:
    """Of waits ``(n, 1)`` by a distribution of PyMC ``(K,)``: where one had not ended, the log probability that it is longer.

    That is ``log_survival`` of the waits, which is taken where it is needed only, and not at all where it is None: of a gamma
    distribution its gradient is a series. `pymc.Censored` takes it from the distribution function, of which near 1 no
    gradient is left.
    """
    import pymc as pm
    import pytensor.tensor as pt

    density = pm.logp(base, y)
    if log_survival is None:
        return density
    cut = pt.nonzero(pt.eq(censored[..., 0].flatten(), 1))[0]
    return pt.set_subtensor(density[..., cut, :], log_survival(y[..., cut, :]))
