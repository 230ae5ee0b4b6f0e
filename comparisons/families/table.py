"""All families in one table: what each takes, how it is fitted, and what the checks have of it."""

from __future__ import annotations

from comparisons.families.family import Family
from comparisons.families.own_family import OwnFamily
from comparisons.hidden_markov_chains import COLUMNS_TOLD, NAME

HEADINGS = (
    "family",
    "columns",
    "M-step",
    "default prior",
    "third density",
    "rules of identifiability",
    "exact posterior",
)
CHAIN = (
    f"`{NAME}`",
    COLUMNS_TOLD,
    "closed form; Newton's method for transitions that are stationary",
    "As of the mixture of what states emit; one move more for each transition, but of coins",
    "none: what EM and PyMC share is not looked at",
    "numerical only",
    "no",
)
OWN = "a file of yours, `FILE.py:NAME`"


def told(families: list[Family]) -> str:
    """As a table in Markdown, of these families, of hidden Markov chains, and one of one's own."""
    rows = [HEADINGS, ("---",) * len(HEADINGS), *map(_row, families), CHAIN, _own()]
    return "".join(f"| {' | '.join(cell.replace('|', '/') for cell in row)} |\n" for row in rows)


def _row(family: Family) -> tuple[str, ...]:
    kind = type(family)
    return (
        f"`{family.name}`",
        family.columns_told,
        family.m_step_told,
        _sentence(family.default_reason),
        "by `scipy.stats`, apart from EM's",
        "yes" if kind.structurally_unidentified is not Family.structurally_unidentified else "numerical only",
        "by quadrature, where small" if kind.exact is not Family.exact else "no",
    )


def _own() -> tuple[str, ...]:
    return (
        OWN,
        OwnFamily.columns_told,
        OwnFamily.m_step_told,
        _sentence(OwnFamily.default_reason),
        "the one of EM: where PyMC's differs, no check can say which is off",
        "numerical only",
        "no",
    )


def _sentence(reason: str) -> str:
    """The first of several, without its full stop."""
    return reason.split(". ")[0].rstrip(".")
