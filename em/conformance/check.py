"""The conformance kit: a family of one's own tried on rows of its own, and what is wrong in it as sentences."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from em.conformance.densities import densities_agree
from em.conformance.functions import functions_fit, prior_fits
from em.conformance.simulation import simulation_has_the_density
from em.conformance.steps import m_step_is_a_maximum, objective_rises
from em.conformance.telling import Stopped
from em.conformance.trial import Trial
from models.family import Family, FamilyPrior
from models.inputs import component_number, finite_array, instance_of, whole_number

# Distinct rows of somebody's at which a family is tried, and findings that a message has.
MOST_ROWS, TOLD = 200, 3

type Check = Callable[[Trial], Iterator[str]]

# In the order of what needs what.
CHECKS: dict[str, Check] = {
    "prior": prior_fits,
    "functions": functions_fit,
    "densities": densities_agree,
    "simulation": simulation_has_the_density,
    "m_step": m_step_is_a_maximum,
    "objective": objective_rises,
}
# Where one of these fails, what comes after it cannot be asked, or would say the same again.
LAST = ("prior", "functions", "m_step")


class FamilyFailed(ValueError):
    """What is wrong in a family of one's own.

    Attributes
    ----------
    findings : by the name of the check, a sentence each
    """

    def __init__(self, findings: dict[str, tuple[str, ...]]) -> None:
        self.findings = findings
        told = [sentence for each in findings.values() for sentence in each]
        more = f" (and {len(told) - TOLD} more in findings)" if len(told) > TOLD else ""
        super().__init__("\n".join(told[:TOLD]) + more)


@dataclass(frozen=True, slots=True)
class FamilyPassed:
    """A family of one's own in which nothing wrong was found.

    Attributes
    ----------
    family : its name
    checks : what was tried
    """

    family: str
    checks: tuple[str, ...]

    def __str__(self) -> str:
        """In one sentence."""
        return f"{self.family} passed {', '.join(self.checks)}"


def check_family(
    family: Family,
    y: ArrayLike | None = None,
    n_components: int = 2,
    *,
    prior: FamilyPrior | None = None,
    seed: int = 0,
) -> FamilyPassed:
    """Try a family of one's own, and say what is wrong in it.

    Its functions take arrays and give the right names and shapes; each prior is the same by SciPy and by PyMC, and of the
    right numbers; SciPy's and PyMC's densities are one; simulated rows have the density and the distribution function; the M-step
    is a maximum, with the prior, without one and with another; the objective of EM rises. A right family fails by
    chance once in a million.

    Parameters
    ----------
    family : to be tried
    y : ``(n,)`` rows at which it is tried; simulated from the middle of the prior where None
    n_components : K
    prior : the family's own where None
    seed : of draws from the prior and of simulated rows

    Returns
    -------
    FamilyPassed
        What was tried, where nothing is wrong.

    Raises
    ------
    FamilyFailed
        A ``ValueError`` that says what is wrong, how much, what it looks like and what to do; all of it is in its ``findings``.
    TypeError, ValueError
        for arguments that are no such

    Examples
    --------
    >>> def test_my_family():
    ...     em.check_family(my_family)
    """
    instance_of("family", family, Family)
    whole_number("seed", seed, least=0)
    k, own = component_number(n_components), family.prior if prior is None else prior
    instance_of("prior", own, FamilyPrior)
    rows = np.zeros(0) if y is None else np.unique(finite_array("y", y, (1,)))
    some = np.linspace(0, max(len(rows) - 1, 0), min(len(rows), MOST_ROWS)).astype(int)
    trial = Trial(family, own, rows[some], k, seed)
    findings: dict[str, tuple[str, ...]] = {}
    for name, check in CHECKS.items():
        try:
            found = tuple(check(trial))
        except Stopped as error:
            found = (str(error),)
        if found:
            findings[name] = found
            if name in LAST:
                break
    if findings:
        raise FamilyFailed(findings)
    return FamilyPassed(family.name, tuple(CHECKS))
