"""What a user may hand in: every array is checked here once, with its place and the remedy, and trusted afterwards."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

type Floats = NDArray[np.float64]
type Integers = NDArray[np.int64]

# Components up to which an array of their weights can be made.
MOST_COMPONENTS = 10**6
# Weights typed by hand with eight digits sum to 1 within this.
WEIGHT_SUM_TOLERANCE = 1e-8


# Characters of one value in a message, which has three lines at most, and of a list of names.
LONGEST_VALUE, LONGEST_LIST = 60, 200


def shown(value: object) -> str:
    """A value as a message quotes it: in Python's own form, on one line, cut in the middle where it is long."""
    if isinstance(value, int) and abs(value) > 10**LONGEST_VALUE:
        return f"a number of more than {LONGEST_VALUE} digits"
    return one_line(repr(value))


def one_line(text: str) -> str:
    """Text with its line ends and runs of blanks as one blank, cut in the middle where it is long."""
    return cut(" ".join(text.split()))


def cut(text: str, longest: int = LONGEST_VALUE) -> str:
    """Text of at most so many characters, its middle left out where it has more."""
    if len(text) <= longest:
        return text
    return f"{text[: longest - longest // 3 - 3]}...{text[-(longest // 3) :]}"


def some_of(names: Iterable[object]) -> str:
    """Names in a row; of many the first, and how many more there are."""
    told = [one_line(str(name)) for name in names]
    kept = list(accumulate(len(name) + 2 for name in told))
    n = max(sum(length <= LONGEST_LIST for length in kept), 1)
    return ", ".join(told[:n]) + (f" and {len(told) - n} more" if n < len(told) else "")


def read_only[A: NDArray[Any]](array: A) -> A:
    """Return the same array, marked so that a value object cannot change under its owner."""
    array.flags.writeable = False
    return array


def alike_once(array: NDArray[Any]) -> NDArray[Any]:
    """Return the same vector, read-only; where all values are alike only one is held, as of a million rows seen once each."""
    if array.size and (array == array[0]).all():
        return np.broadcast_to(array[:1].copy(), array.shape)
    return read_only(array)


def reordered[P](parameters: P, order: ArrayLike) -> P:
    """Parameters, every field an array by component, with their components in another order.

    Nothing is checked again: what was computed may be no valid input by rounding, as a covariance that has collapsed.
    """
    made = object.__new__(type(parameters))
    for field in fields(parameters):  # type: ignore[arg-type]  # the protocol of dataclasses has no name outside of stubs
        object.__setattr__(made, field.name, read_only(np.array(getattr(parameters, field.name)[np.asarray(order)])))
    return made


def _contains_boolean(value: Any) -> bool:
    if isinstance(value, bool | np.bool_):
        return True
    return isinstance(value, list | tuple) and any(_contains_boolean(item) for item in value)


def names_of(table: Any) -> tuple[Any, ...] | None:
    """Names of the columns of a table, in memory or of Dask; None of what has none."""
    columns = getattr(table, "columns", None)
    return None if columns is None else tuple(columns)


def as_array(table: Any) -> NDArray[Any]:
    """``(n, d)`` a table in memory, each column by its own type: nullable ones are numbers, what is missing is NaN."""
    columns = [column for _, column in table.items()] if hasattr(table, "items") else [table[c] for c in table.columns]
    arrays = [np.asarray(column) for column in columns]
    if any(array.dtype.kind not in "iuf" for array in arrays):
        # Else booleans beside numbers would become numbers.
        arrays = [array.astype(object) for array in arrays]
    return np.column_stack(arrays) if arrays else np.empty((len(table), 0))


def finite_array(
    name: str, value: ArrayLike, dimensions: tuple[int, ...], *, missing: bool = False, remedy: str = ""
) -> Floats:
    """Return ``value`` as a new read-only float array.

    Parameters
    ----------
    name : what the user calls the argument, for the message
    value : numbers; a DataFrame or Series is taken by its values, nullable ones too
    dimensions : the numbers of axes that are allowed, such as ``(1,)``
    missing : take NaN, None and what is masked, all as NaN
    remedy : what may be done about them beside dropping rows, for the message

    Raises
    ------
    TypeError
        if booleans, strings or other objects stand where numbers belong
    ValueError
        if the array is ragged, has the wrong number of axes, is empty, masked, or holds NaN or infinity
    """
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        if not missing:
            raise ValueError(
                f"{name} is a masked array with {np.ma.count_masked(value)} masked values; drop those rows first{remedy}"
            )
        masked, value = np.ma.getmaskarray(value), np.array(value.data, dtype=object)
        value[masked] = None
    try:
        array = np.asarray(value) if names_of(value) is None else as_array(value)
    except ValueError as error:
        raise ValueError(f"{name} is ragged: its rows have different lengths; give a rectangular array") from error
    if array.dtype.kind == "b" or _contains_boolean(value):
        raise TypeError(
            f"{name} holds booleans where numbers belong; convert them with .astype(int) if 0 and 1 are meant"
        )
    if array.dtype.kind == "O":
        absent = [index for index, item in np.ndenumerate(array) if item is None]
        if absent and not missing:
            raise ValueError(
                f"{name} holds {len(absent)} missing values, the first at {_place(absent[0])}; drop those rows first{remedy}"
            )
        if absent:
            array = array.copy()
            for index in absent:
                array[index] = np.nan
            if all(_is_number(item) for item in array.ravel()):
                array = array.astype(np.float64)
    if array.dtype.kind not in "iuf":
        raise TypeError(_not_numbers(name, array))
    if array.ndim not in dimensions:
        kinds = ("one number", "a vector", "a table of rows and columns", "a stack of matrices")
        allowed = " or ".join(kinds[n] for n in dimensions)
        raise ValueError(f"{name} must be {allowed}, but has shape {array.shape}; give it that shape")
    if array.size == 0:
        raise ValueError(f"{name} is empty (shape {array.shape}); give at least one row")
    array = np.array(array, dtype=np.float64)
    bad = np.isinf(array) if missing else ~np.isfinite(array)
    if bad.any():
        place = tuple(int(i) for i in np.argwhere(bad)[0])
        raise ValueError(
            f"{name} holds {int(bad.sum())} values that are {'infinite' if missing else 'NaN or infinite'}, the first at "
            f"{_place(place)} ({array[place]}); drop or correct those rows first{'' if np.isinf(array).any() else remedy}"
        )
    if missing:
        array[np.isnan(array)] = np.nan  # all of the same bits
    return read_only(array)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


def _not_numbers(name: str, array: NDArray[Any]) -> str:
    """Say which value is no number, and where."""
    for index, entry in np.ndenumerate(array):
        value = entry.item() if isinstance(entry, np.generic) else entry
        if isinstance(value, bool | np.bool_) or not isinstance(value, int | float | np.integer | np.floating):
            return (
                f"{name} must hold numbers, but holds {shown(value)} of type {type(value).__name__} at {_place(index)}; "
                "convert it to a number, or leave that row or column out"
            )
    return f"{name} must hold numbers, but its values are of type {array.dtype}; convert it with .astype(float) first"


def _place(index: tuple[int, ...]) -> str:
    if len(index) == 0:
        return "its only value"
    if len(index) == 1:
        return f"index {index[0]}"
    return f"row {index[0]}, column {index[1]}"


def whole_numbers(name: str, value: ArrayLike, *, least: int, also_one: bool = False) -> Integers:
    """Return ``value`` as a new read-only integer vector, ``also_one`` number alone; 5.0 is taken, 5.5 refused.

    Raises
    ------
    ValueError
        if a value is not whole or is below ``least``; else as `finite_array`
    """
    array = finite_array(name, value, (0, 1) if also_one else (1,))
    for wrong, problem in (
        (array != np.rint(array), "is not a whole number"),
        (array < least, f"is below {least}"),
        (np.abs(array) > 2**53, "is above 2^53, where floating point is not exact"),
    ):
        if wrong.any():
            row = int(np.argmax(wrong))
            place = f"{name}[{row}]" if array.ndim else name
            raise ValueError(
                f"{place} is {array.flat[row]:g}, which {problem}; {name} must be whole numbers of at least {least}"
            )
    return read_only(np.asarray(array.astype(np.int64)))


def positive_number(name: str, value: float, *, above: float = 0.0) -> float:
    """Return ``value`` as a float above ``above``, or raise ValueError naming the argument."""
    number = float(finite_array(name, value, (0,)))
    if not number > above:
        raise ValueError(f"{name} is {number:g}, but must be above {above:g} for the prior to be proper")
    return number


def whole_number(name: str, value: Any, *, least: int) -> int:
    """Return one whole number of at least ``least``, or raise TypeError or ValueError naming the argument."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"{name} is {shown(value)}, but must be a whole number")
    if value < least:
        raise ValueError(f"{name} is {shown(value)}, but must be at least {least}")
    return int(value)


def yes_or_no(name: str, value: Any) -> bool:
    """Return True or False, or raise TypeError naming the argument."""
    if not isinstance(value, bool | np.bool):
        raise TypeError(f"{name} is {shown(value)}; give True or False")
    return bool(value)


def component_number(n_components: int) -> int:
    """Return the number of components as an int of at least 1."""
    if isinstance(n_components, bool) or not isinstance(n_components, int | np.integer):
        raise TypeError(f"n_components must be a whole number, but is {shown(n_components)}")
    if n_components < 1:
        raise ValueError(f"n_components is {shown(n_components)}; a mixture has at least 1 component")
    if n_components > MOST_COMPONENTS:
        raise ValueError(
            f"n_components is {shown(n_components)}; no computer holds more than {MOST_COMPONENTS:,} components"
        )
    return int(n_components)


def weight_vector(name: str, value: ArrayLike) -> Floats:
    """Return mixture weights ``(n_components,)``: each in [0, 1], summing to 1."""
    weights = finite_array(name, value, (1,))
    outside = (weights < 0) | (weights > 1)
    if outside.any():
        k = int(np.argmax(outside))
        raise ValueError(f"{name}[{k}] is {weights[k]:g}; weights are probabilities and must lie in [0, 1]")
    if abs(weights.sum() - 1) > WEIGHT_SUM_TOLERANCE:
        raise ValueError(
            f"{name} sum to {weights.sum():.10g}, not 1; divide them by their sum if proportions are meant"
        )
    return weights


def one_each(name: str, values: ArrayLike, weights: Floats) -> Floats:
    """Read one finite number for each component."""
    numbers = finite_array(name, values, (1,))
    if len(numbers) != len(weights):
        raise ValueError(f"{name} has {len(numbers)} values but weights has {len(weights)}; give one per component")
    return numbers


def distinct_rows(rows: NDArray[Any], counts: Integers) -> tuple[NDArray[Any], Integers]:
    """Sorted distinct rows ``(m, d)`` of ``(n, d)``, and how often each was seen ``(m,)``."""
    # By the columns in which rows differ, the first of them last: one is often all.
    differing = [column for column in rows.T[::-1] if (column != column[:1]).any()]
    order = np.lexsort(differing) if differing else np.arange(len(rows))
    ordered = rows[order]
    first = np.append(True, (ordered[1:] != ordered[:-1]).any(axis=1))[: len(rows)]
    return ordered[first], np.add.reduceat(counts[order], np.flatnonzero(first))


def row_counts(counts: ArrayLike | None, n: int) -> NDArray[Any]:
    """Return how many times each row was seen ``(n,)``; all 1 where None. Integers, or floats where some are not whole."""
    if counts is None:
        return np.broadcast_to(np.int64(1), n)
    array: NDArray[Any] = finite_array("counts", counts, (1,))
    if (array == np.rint(array)).all():
        array = whole_numbers("counts", array, least=0)
    elif (array < 0).any():
        row = int(np.argmax(array < 0))
        raise ValueError(f"counts[{row}] is {array[row]:g}, which is below 0; a row counts 0 times at least")
    if len(array) != n:
        raise ValueError(f"counts has {len(array)} values but there are {n} rows; give one count per row")
    if array.sum() == 0:
        raise ValueError("counts are all zero: there are no data")
    return alike_once(array)


def whole_counts(counts: NDArray[Any], remedy: str) -> None:
    """Refuse counts that are not whole where rows are to be taken apart again."""
    if counts.dtype.kind == "f":
        row = int(np.argmax(counts != np.rint(counts)))
        raise ValueError(f"counts[{row}] is {counts[row]:g}, which is not a whole number; {remedy}")


def row_labels(labels: ArrayLike | None, n: int) -> Integers:
    """Return the known component of each row ``(n,)``, -1 where unknown; all -1 where None."""
    if labels is None:
        return np.broadcast_to(np.int64(-1), n)
    try:
        array = whole_numbers("labels", labels, least=-1)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{error}; where the component is not known, the label is -1") from None
    if len(array) != n:
        raise ValueError(
            f"labels has {len(array)} values but there are {n} rows; give one label per row, -1 where unknown"
        )
    return alike_once(array)


def instance_of(name: str, value: object, cls: type[Any]) -> None:
    """Refuse an argument of another type, naming the one that belongs there."""
    if not isinstance(value, cls):
        first = ", ".join(f"{field.name}=..." for field in fields(cls)[:2])
        given = value.__name__ if isinstance(value, type) else type(value).__name__
        raise TypeError(f"{name} must be models.{cls.__name__}, but is {given}; write {cls.__name__}({first}, ...)")
