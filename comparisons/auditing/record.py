"""What an audit found."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault of an EM.

    Attributes
    ----------
    step : "E-step", "M-step", or "step" where these cannot be told apart; "objective", "start", "stop rule"
    parameter : which one is off, empty where none is
    size : in the unit that ``told`` names
    told : a sentence
    slip : the likely one, empty where none of the list fits
    """

    step: str
    parameter: str
    size: float
    told: str
    slip: str

    def __str__(self) -> str:
        """In one line, the likely slip last."""
        slip = f" Likely slip: {self.slip}." if self.slip else ""
        return f"{self.step}{f', {self.parameter}' if self.parameter else ''}: {self.told}.{slip}"


@dataclass(frozen=True, slots=True)
class Audit:
    """Every step of an EM, tried.

    Attributes
    ----------
    name : of the pair
    findings : what is wrong, empty where nothing was found
    looked_at, not_looked_at : what was tried, and what could not be and why
    by_step : whether E-step and M-step were tried apart, and not only that they rise and where they end
    """

    name: str
    findings: list[Finding]
    looked_at: list[str]
    not_looked_at: list[str]
    by_step: bool

    @property
    def sound(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    def __str__(self) -> str:
        """As printed: findings first."""
        told = f"{len(self.findings)} found"
        if self.sound:
            told = (
                "no fault was found"
                if self.by_step
                else "no fault was found, but E-step and M-step could not be tried apart"
            )
        lines = [f"{self.name}: {told}"]
        lines += [f"  * {each}" for each in self.findings]
        lines += [f"  looked at: {each}" for each in self.looked_at]
        return "\n".join([*lines, *(f"  not looked at: {each}" for each in self.not_looked_at)])

    __repr__ = __str__
