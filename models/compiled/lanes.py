"""Several numbers at a time, for code that numba compiles: a vector type, and the few operations on it that a pass needs.

LLVM, which numba compiles with, has vectors of any width and maps them to the registers of the machine: 32 numbers are four
registers of AVX-512 or eight of AVX2. So what a core computes at once is written down, and does not hang on what a
vectoriser makes of a loop: on processors with AVX-512 it takes half their width only. Arithmetic keeps its order, but that
``fma`` rounds once where the machine can.

This module loads numba; it is imported where the first pass is compiled. numba's cache on disk asks whether
`models.compiled.row_pass` has changed, not whether this module has: after a change here that file must be written anew too.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model

LOG_OF_2 = math.log(2.0)
# log(2) in two parts, the first so short that its product with a power's exponent is exact.
LOG_OF_2_HIGH, LOG_OF_2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
# Added to a number below 2^51 it leaves the nearest integer in the last bits.
TO_INTEGER = 1.5 * 2.0**52
# Below this an exponential is 0, far from the numbers that processors are slow with.
LEAST_EXPONENT = -700.0
BITS_OF_FRACTION = 52


# Taylor's polynomial of exp, highest power first: on |r| <= log(2) / 2 what it leaves out is below 2e-16.
COEFFICIENTS = tuple(1.0 / math.factorial(n) for n in range(12, -1, -1))


class Lanes(types.Type):  # type: ignore[misc]
    """The type of ``width`` numbers in double precision."""

    def __init__(self, width: int) -> None:
        self.width = width
        super().__init__(name=f"Lanes({width})")


def _vector(width: int) -> Any:
    return ir.VectorType(ir.DoubleType(), width)


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, lanes: Lanes) -> None:
        super().__init__(manager, lanes, _vector(lanes.width))


def _place(context: Any, builder: Any, array_type: Any, array: Any, index: Any, width: int) -> Any:
    """Pointer to the vector that begins at ``array[index]``."""
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), _vector(width).as_pointer())


def _constant(width: int, value: float) -> Any:
    return ir.Constant(_vector(width), [value] * width)


def _picked(builder: Any, vector: Any, places: list[int]) -> Any:
    mask = ir.Constant(ir.VectorType(ir.IntType(32), len(places)), places)
    return builder.shuffle_vector(vector, ir.Constant(vector.type, ir.Undefined), mask)


def _fma(builder: Any, a: Any, b: Any, c: Any) -> Any:
    signature = ir.FunctionType(a.type, [a.type] * 3)
    function = cgutils.get_or_insert_function(builder.module, signature, f"llvm.fmuladd.v{a.type.count}f64")
    return builder.call(function, [a, b, c])


@intrinsic(prefer_literal=True)  # type: ignore[untyped-decorator]
def load(typing: Any, array: Any, index: Any, width: Any) -> Any:
    """``width`` numbers from ``array[index]`` on; the array is flat, and nothing checks its end."""
    lanes = width.literal_value

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.load(_place(context, builder, signature.args[0], args[0], args[1], lanes), align=8)

    return Lanes(lanes)(array, types.int64, width), generate


@intrinsic  # type: ignore[untyped-decorator]
def store(typing: Any, array: Any, index: Any, value: Any) -> Any:
    """Put a vector into ``array[index]`` and what follows it."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.store(args[2], _place(context, builder, signature.args[0], args[0], args[1], value.width), align=8)
        return context.get_dummy_value()

    return types.none(array, types.int64, value), generate


@intrinsic(prefer_literal=True)  # type: ignore[untyped-decorator]
def every(typing: Any, number: Any, width: Any) -> Any:
    """A vector of one number."""
    lanes = width.literal_value

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        first = builder.insert_element(_constant(lanes, 0.0), args[0], ir.Constant(ir.IntType(32), 0))
        return _picked(builder, first, [0] * lanes)

    return Lanes(lanes)(types.float64, width), generate


@intrinsic  # type: ignore[untyped-decorator]
def fma(typing: Any, a: Any, b: Any, c: Any) -> Any:
    """``a b + c``."""
    return a(a, b, c), lambda context, builder, signature, args: _fma(builder, *args)


def _of_two(generate: Callable[[Any, Any, Any], Any]) -> Any:
    def operation(typing: Any, a: Any, b: Any) -> Any:
        return a(a, b), lambda context, builder, signature, args: generate(builder, *args)

    return intrinsic(operation)


add = _of_two(lambda builder, a, b: builder.fadd(a, b))
subtract = _of_two(lambda builder, a, b: builder.fsub(a, b))
multiply = _of_two(lambda builder, a, b: builder.fmul(a, b))
divide = _of_two(lambda builder, a, b: builder.fdiv(a, b))
larger = _of_two(lambda builder, a, b: builder.select(builder.fcmp_ordered(">", a, b), a, b))
smaller = _of_two(lambda builder, a, b: builder.select(builder.fcmp_ordered("<", a, b), a, b))


@intrinsic  # type: ignore[untyped-decorator]
def folded(typing: Any, a: Any) -> Any:
    """The first half of a vector plus the second."""
    half = a.width // 2

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        first, second = (_picked(builder, args[0], list(range(at, at + half))) for at in (0, half))
        return builder.fadd(first, second)

    return Lanes(half)(a), generate


@intrinsic  # type: ignore[untyped-decorator]
def exponential(typing: Any, x: Any) -> Any:
    """``exp(x)`` of numbers up to 0 to rounding, and 0 below `LEAST_EXPONENT`.

    With n the integer nearest to x / log(2), exp(x) = 2^n exp(x - n log(2)): a polynomial, and n added to the bits of its
    exponent.
    """
    width = x.width
    integers = ir.VectorType(ir.IntType(64), width)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        least = _constant(width, LEAST_EXPONENT)
        counts = builder.fcmp_ordered(">", args[0], least)
        inside = builder.select(counts, args[0], least)
        shifted = _fma(builder, inside, _constant(width, 1 / LOG_OF_2), _constant(width, TO_INTEGER))
        whole = builder.fsub(shifted, _constant(width, TO_INTEGER))
        rest = _fma(builder, whole, _constant(width, -LOG_OF_2_HIGH), inside)
        rest = _fma(builder, whole, _constant(width, -LOG_OF_2_LOW), rest)
        value = _constant(width, COEFFICIENTS[0])
        for coefficient in COEFFICIENTS[1:]:
            value = _fma(builder, value, rest, _constant(width, coefficient))
        exponent = builder.shl(builder.bitcast(shifted, integers), ir.Constant(integers, [BITS_OF_FRACTION] * width))
        value = builder.bitcast(builder.add(builder.bitcast(value, integers), exponent), _vector(width))
        return builder.select(counts, value, _constant(width, 0.0))

    return x(x), generate
