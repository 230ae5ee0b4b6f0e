"""An engine that stops with an error: a finding about that engine, as a check that did not pass, and no crash.

What is caught is what engines raise on sound data when they are wrong or at their end. Bad input is refused elsewhere, and
an error that is not foreseen here stays one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from comparisons.results.result import Check, Engine, Outcome
from comparisons.results.strict_json import number
from em import ObjectiveDecreased

NAME, TITLE = "engines-run", "Both engines ran to their end"
# What is wrong with an engine that stops by itself, and what to do then. EM has no excuse: its steps exist for all data that it
# takes. A density or a sampler may be right and lose its way.
OUTCOMES: dict[Engine, tuple[Outcome, str]] = {
    "em": ("fail", "Look for the step of EM that does not return parameters of this model."),
    "pymc": ("inconclusive", "Look at the values for which the model's density does not exist."),
    "sampler": ("inconclusive", "Look at the model's density and gradient where its chains start."),
}
WORDS: dict[Engine, str] = {
    "em": "EM",
    "pymc": "PyMC's density",
    "sampler": "The sampler",
    "comparison": "The comparison",
}


class EngineFailure(Exception):
    """The judgement cannot go on; ``check`` says why, and whose fault it is."""

    def __init__(self, check: Check) -> None:
        super().__init__(check.explanation)
        self.check = check


@contextmanager
def failing(engine: Engine) -> Iterator[None]:
    """Turn the error with which an engine stops inside the block into a finding about it.

    Raises
    ------
    EngineFailure
        in place of an arithmetic error, a matrix that has no inverse, or, of the sampler, a run that it gave up
    """
    try:
        yield
    except ObjectiveDecreased as error:
        text = (
            f"EM stopped: its step {error.step} lowered the objective by {error.loss:.3g} nats, from {error.before:.10g} to "
            f"{error.after:.10g}. No right step does that."
        )
        remedy = "Look for the fault in EM's E-step, M-step or objective."
        raise EngineFailure(Check(NAME, TITLE, "fail", number(error.loss), 0.0, text, "em", remedy)) from error
    except (ArithmeticError, np.linalg.LinAlgError) as error:
        raise EngineFailure(_stopped(engine, error)) from error
    except RuntimeError as error:
        # nutpie has no error class of its own.
        if engine != "sampler":
            raise
        raise EngineFailure(_stopped(engine, error)) from error


def _stopped(engine: Engine, error: Exception) -> Check:
    outcome, remedy = OUTCOMES[engine]
    lines = [line for line in str(error).splitlines() if line.strip()]
    told = lines[0].strip() if lines else "no message"
    text = f"{WORDS[engine]} stopped with an error: {told} ({type(error).__name__})."
    return Check(NAME, TITLE, outcome, None, None, text, engine, remedy)
