"""What a long fit says of itself on standard error: a line that changes on a terminal, elsewhere one a minute."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from models.inputs import Floats

# Seconds after which a fit is long, and between two words of it on a terminal and elsewhere.
LONG = 5.0
ON_TERMINAL, ELSEWHERE = 0.5, 60.0


class Progress:
    """Steps of one fit, shown from `LONG` seconds on, and nothing of a fit that is shorter."""

    def __init__(self) -> None:
        self.steps = 0
        self.started = time.monotonic()
        self.next: float | None = self.started + LONG
        self.line: Any = None

    def step(self, rows: int, log_likelihoods: Floats | float) -> None:
        """Tell of an E-step over so many rows, in nats; of several sets of parameters the best counts."""
        self.steps += 1
        now = time.monotonic()
        if self.next is None or now < self.next:
            return
        told = (
            f"EM for {now - self.started:.0f} s: step {self.steps:,}, over {rows:,} rows, "
            f"log-likelihood {np.max(log_likelihoods):.6f}"
        )
        if sys.stderr.isatty():
            self.next = now + ON_TERMINAL
            self._show(told)
        else:
            self.next = now + ELSEWHERE
            print(told, file=sys.stderr, flush=True)

    def _show(self, told: str) -> None:
        from rich.console import Console

        if self.line is None:
            self.line = Console(stderr=True, markup=False, highlight=False, emoji=False).status(told)
            self.line.start()
        self.line.update(told)

    def end(self) -> None:
        """Leave nothing on the terminal, and say nothing of what is done with the fit later."""
        if self.line is not None:
            self.line.stop()
        self.next = self.line = None


@contextmanager
def waiting(told: str) -> Iterator[None]:
    """Tell once on standard error what is worked at, where it takes longer than `LONG` seconds and has no steps to tell of."""
    timer = threading.Timer(LONG, lambda: print(told, file=sys.stderr, flush=True))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
