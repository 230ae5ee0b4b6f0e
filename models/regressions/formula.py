"""The design of a regression as a formula, read by formulaic: ``y ~ x + C(group)``.

What a formula may name are columns and the functions that formulaic knows. Terms with a state, such as ``center(x)`` or
``bs(x, df=4)``, and the levels of categories are those of the first rows, so that further rows get the same design.
"""

from __future__ import annotations

import difflib
import re
import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from models.inputs import Floats, shown, some_of
from models.regressions.regressors import INTERCEPT, RegressionRows

if TYPE_CHECKING:
    import pandas as pd

# Texts in a formula, which name nothing; then columns in backticks, and words that are no attribute and no keyword argument.
TEXT = re.compile(r"'[^']*'|\"[^\"]*\"")
NAME = re.compile(r"`(?P<quoted>[^`]+)`|(?<![\w.])(?P<plain>[^\W\d]\w*)(?!\w)(?!\s*=(?!=))")
OF_PYTHON = ("True", "False", "None")
# Levels that were whole numbers, and how formulaic underlines the place of an error.
WHOLE, UNDERLINED = re.compile(r"(?<=[\[.])(-?\d+)\.0(?=\])"), re.compile("⧛.*?m|⧚|\x1b\\[[0-9;]*m")


class RegressionDesign:
    """What a formula makes of columns: a response, and covariates with names.

    Parameters
    ----------
    formula : such as ``"y ~ x + C(group)"``, in Wilkinson's notation; the intercept is there unless ``0 +`` takes it out
    data : columns by name, a DataFrame or a mapping; those that hold words are categories, and ``C(...)`` makes numbers such

    Attributes
    ----------
    response, covariates : what the formula calls them, an intercept left out
    intercept : whether there is one

    Raises
    ------
    ModuleNotFoundError
        where formulaic is not installed
    TypeError, ValueError
        for what is no formula of one response, names no column, or makes anything but numbers of one of the rows

    Examples
    --------
    >>> import models
    >>> columns = {"y": [1.0, 2.5, 2.0], "group": ["a", "b", "b"]}
    >>> design = models.RegressionDesign("y ~ group", columns)
    >>> design.covariates, design.rows(columns).design.tolist()
    (('group[T.b]',), [[1.0, 0.0], [1.0, 1.0], [1.0, 1.0]])
    """

    __slots__ = ("_spec", "covariates", "formula", "intercept", "response")

    def __init__(self, formula: str, data: Any) -> None:
        self.formula = formula
        used = columns_of(formula, data)
        formulaic, frame = _formulaic(), _frame(data, used)
        from formulaic.errors import FormulaicError

        try:
            parsed = formulaic.Formula(formula)
            sides = [getattr(parsed, "_structure", {}).get(side) for side in ("lhs", "rhs")]
            if not all(isinstance(side, formulaic.formula.SimpleFormula) for side in sides):
                raise ValueError(_no_formula(formula, "it has not one response and one list of terms"))
            with np.errstate(all="ignore"):
                made = parsed.get_model_matrix(frame, context={}, na_action="ignore")
        except FormulaicError as error:
            told = UNDERLINED.sub("", str(error)).partition("\n")[0].partition(". This can")[0].rstrip(".")
            raise ValueError(_no_formula(formula, told)) from error
        self._spec: Any = made.model_spec
        if made.lhs.shape[1] != 1:
            raise ValueError(
                f"formula is {shown(formula)}, whose response is {some_of(map(str, made.lhs.columns))}; "
                "give one response that holds numbers"
            )
        (self.response,), names = map(_named, (made.lhs.columns, made.rhs.columns))
        self.intercept = "Intercept" in names
        self.covariates = tuple(name for name in names if name != "Intercept")
        if INTERCEPT in (self.response, *self.covariates):
            raise ValueError(f"formula is {shown(formula)}, which calls a column intercept; give it another name")
        self._numbers(made, frame)

    __hash__ = None  # type: ignore[assignment]

    def rows(self, data: Any, counts: ArrayLike | None = None, labels: ArrayLike | None = None) -> RegressionRows:
        """Rows for `regression_mixture`, in either engine; ``counts`` and ``labels`` as `models.RegressionRows` has them.

        Raises
        ------
        TypeError, ValueError
            where a column is missing, or a row has anything but numbers, or a level that the first rows had not
        """
        from formulaic.errors import DataMismatchWarning, FormulaicError

        frame = _frame(data, columns_of(self.formula, data))
        try:
            with np.errstate(all="ignore"), warnings.catch_warnings():
                warnings.simplefilter("error", DataMismatchWarning)
                made = self._spec.get_model_matrix(frame, context={}, na_action="ignore")
        except (FormulaicError, DataMismatchWarning) as error:
            raise ValueError(f"data do not fit the formula {shown(self.formula)}: {error}") from error
        y, x = self._numbers(made, frame)
        return RegressionRows(y, x, counts, labels, self.intercept, self.covariates)

    def _numbers(self, made: Any, frame: pd.DataFrame) -> tuple[Floats, Floats]:
        """Responses ``(n,)`` and covariates ``(n, m)``; ValueError for the first that is none."""
        y = np.asarray(made.lhs, dtype=float)[:, 0]
        kept = [j for j, name in enumerate(made.rhs.columns) if name != "Intercept"]
        x = np.asarray(made.rhs, dtype=float)[:, kept]
        for name, values in zip((self.response, *self.covariates), (y, *x.T), strict=True):
            if not np.isfinite(values).all():
                row = int(np.argmin(np.isfinite(values)))
                told = ", ".join(f"{column} is {shown(frame[column].tolist()[row])}" for column in frame)
                raise ValueError(
                    f"formula[{row}] is {values[row]:g} in {name}, where {told}; leave such rows out, or change the term"
                )
        return y, x


def columns_of(formula: Any, columns: Iterable[Any]) -> list[str]:
    """Names of the columns that a formula uses, in its order.

    Raises
    ------
    TypeError, ValueError
        for what is no text, and a name that is neither a column nor a function of formulaic
    """
    _formulaic()
    from formulaic.transforms import TRANSFORMS

    if not isinstance(formula, str):
        raise TypeError(f'formula is {shown(formula)}; give a text, such as "y ~ x + C(group)"')
    there, used = [str(column) for column in columns], []
    told = TEXT.sub("''", formula)
    for found in NAME.finditer(told):
        name = found["quoted"] or found["plain"]
        called = name in TRANSFORMS and told[found.end() :].lstrip().startswith(("(", "."))
        if name in there:
            used.append(name)
        elif found["quoted"] or not (called or name in OF_PYTHON):
            near = difflib.get_close_matches(name, there, n=1, cutoff=0.5)
            meant = (
                f"did you mean {near[0]!r}?" if near else f"there are {some_of(there)}; `a b` is a name with a blank"
            )
            raise ValueError(f"formula is {shown(formula)}, where {shown(name)} is no column; {meant}")
    return list(dict.fromkeys(used))


def _formulaic() -> Any:
    try:
        import formulaic
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "a formula needs formulaic, which is not installed; pip install em-comparisons[formula]"
        ) from error
    return formulaic


def _frame(data: Any, used: list[str]) -> pd.DataFrame:
    """The columns that are used, as they are."""
    import pandas as pd

    by_name = {str(name): name for name in data}
    frame = pd.DataFrame({name: pd.Series(data[by_name[name]]).reset_index(drop=True) for name in used})
    for name in used:
        missing = np.flatnonzero(frame[name].isna())
        if len(missing):
            raise ValueError(f"column {name!r} has nothing in row {missing[0]}; leave such rows out, or fill them")
        # Whole numbers would overflow in a power.
        if frame[name].dtype.kind in "iu":
            frame[name] = frame[name].astype(float)
    return frame


def _named(columns: Any) -> list[str]:
    """Names as reports have them: without a blank behind a comma, which parts names there, nor .0 behind whole numbers."""
    return [WHOLE.sub(r"\1", str(name).replace(", ", ",")) for name in columns]


def _no_formula(formula: str, why: str) -> str:
    return f'formula is {shown(formula)}: {why}; write one such as "y ~ x + C(group)"'
