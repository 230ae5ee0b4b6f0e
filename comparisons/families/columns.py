"""What columns of a table a family is made of: the door of own data."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from comparisons.capabilities import Data
from models.inputs import Floats, shown

type Missing = Literal["refuse", "drop", "marginal"]


class FromColumns(ABC):
    """Data of a family from the columns of a table.

    Attributes
    ----------
    name : of the family, as users give it and results tell it
    roles : what columns may be of, the first of them needed; none where each is a measurement with a name of its own
    in_words : roles that may be words, which only tell rows apart
    meanings : by role of what else may be words, the number that each stands for, in small letters
    columns_told : what columns there may be, in words
    marginal : whether rows with missing cells have a density, that of what was seen
    categorical : whether columns hold categories, each in words
    missing : what is done about missing cells where nobody says
    formulas : whether a formula may say what the columns are
    of_weights : what stands before the role of a column that weights depend on; there are none where empty
    """

    name: str
    roles: tuple[str, ...] = ()
    in_words: tuple[str, ...] = ()
    meanings: ClassVar[dict[str, dict[str, int]]] = {}
    columns_told: str = ""
    marginal: bool = False
    categorical: bool = False
    missing: Missing = "refuse"
    formulas: bool = False
    of_weights: str = ""

    @property
    def measures(self) -> bool:
        """Whether each column is a measurement with a name of its own."""
        return not self.roles

    def in_order(self, headers: Sequence[str]) -> dict[str, str]:
        """Roles of columns that were named one after the other; ValueError for more than there are roles."""
        if self.measures:
            return {header: header for header in headers}
        if len(headers) > len(self.roles):
            raise ValueError(
                f"columns has {len(headers)} names but {self.name} have {', '.join(self.roles)}; name as many"
            )
        return dict(zip(self.roles, headers, strict=False))

    def complete(self, given: dict[str, str], source: str) -> dict[str, str]:
        """Return the columns by role, refuse some that are not enough; ValueError."""
        if self.roles and self.roles[0] not in given:
            raise ValueError(f"{source} needs a column of {self.roles[0]} for {self.name}; name it in columns")
        return given

    def told_of(self, data: Data) -> list[str]:
        """What a reader has to know of the rows, a sentence each."""
        return []

    @abstractmethod
    def from_roles(self, values: dict[str, Floats], counts: Any, labels: Any) -> Data:
        """Data from columns by role."""

    def named_in(self, formula: str, columns: Sequence[str]) -> list[str]:
        """Those of the columns that a formula names; TypeError, ValueError for what is none, or a family without."""
        raise ValueError(f"formula is {shown(formula)} but {self.name} have none; leave it out, and name columns")

    def from_formula(
        self, formula: str, values: dict[str, Any], counts: Any, labels: Any
    ) -> tuple[Data, tuple[str, ...]]:
        """Data of what a formula makes of the columns that it names, and what it calls these."""
        raise NotImplementedError
