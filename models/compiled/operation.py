"""The log density of the rows of a mixture as an operation of PyTensor, whose sum and gradient are one pass over them.

PyMC asks for the log density of each row (`pymc.compute_log_likelihood`), or for its sum and gradient (samplers, `find_MAP`).
Both are the same graph, of `RowLogDensities`. A rewrite puts `ValueAndSums` in place of its sum, and the gradient of the sum is
that operation's too, so that the two are computed once.

This module loads PyTensor and numba; it is imported where a model is built with them.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytensor.tensor as pt
from pytensor.gradient import DisconnectedType, disconnected_type
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op
from pytensor.graph.rewriting.basic import node_rewriter
from pytensor.link.numba.dispatch.basic import numba_njit, register_funcify_default_op_cache_key
from pytensor.scalar.basic import Second
from pytensor.tensor.elemwise import Elemwise
from pytensor.tensor.math import Sum
from pytensor.tensor.rewriting.basic import register_canonicalize

from models.compiled import fused, lanes, row_pass

# Whatever was compiled of other sources is another operation.
SOURCES = sha256(b"".join(Path(str(m.__file__)).read_bytes() for m in (lanes, row_pass, fused))).hexdigest()
# Before the observed columns: theta, counts, labels, shift, turn; see `models.compiled.fused.value_and_sums`.
OTHERS = 5


class _OfTheta(Op):  # type: ignore[misc]  # PyTensor has no types
    """An operation of natural parameters and rows, of which only the former have a gradient."""

    __props__ = ("pairs", "sources")

    def __init__(self, pairs: tuple[tuple[int, int], ...], sources: str = SOURCES) -> None:
        self.pairs, self.sources = pairs, sources

    @property
    def table(self) -> Any:
        """``(2, P)`` the pairs of columns whose products are features."""
        return np.array(self.pairs, dtype=np.int64).reshape(-1, 2).T.copy()

    def arguments(self, inputs: Sequence[Any]) -> list[Any]:
        """Of the compiled functions, all laid out alike, as numba compiles anew for every layout."""
        own = [np.require(each, requirements=["C", "W"]) for each in inputs]
        return [*own[:OTHERS], self.table, tuple(own[OTHERS:])]

    def connection_pattern(self, node: Any) -> list[list[bool]]:
        """Only theta is connected with any output."""
        return [[j == 0] * len(node.outputs) for j in range(len(node.inputs))]


class ValueAndSums(_OfTheta):
    """Log-likelihood, and the features summed with responsibilities and counts, which are its gradient by theta."""

    def make_node(self, *inputs: Any) -> Any:
        theta, *rest = map(pt.as_tensor, inputs)
        return Apply(self, [theta, *rest], [pt.scalar(dtype="float64"), theta.type()])

    def perform(self, node: Any, inputs: Sequence[Any], outputs: Sequence[Any]) -> None:
        value, sums = fused.value_and_sums(*self.arguments(inputs))
        outputs[0][0], outputs[1][0] = np.array(value), sums

    def pullback(self, inputs: Sequence[Any], outputs: Sequence[Any], slopes: Sequence[Any]) -> list[Any]:
        """Of the value; the sums have no gradient here, so there are no second derivatives."""
        slope, of_sums = slopes
        if not isinstance(of_sums.type, DisconnectedType):
            raise NotImplementedError("a fused likelihood has no second derivatives; build the model without it")
        return [slope * outputs[1], *(disconnected_type() for _ in inputs[1:])]


class RowLogDensities(_OfTheta):
    """``(n,)`` log density of each row times its counts."""

    def make_node(self, *inputs: Any) -> Any:
        theta, counts, *rest = map(pt.as_tensor, inputs)
        return Apply(self, [theta, counts, *rest], [pt.vector(dtype="float64", shape=counts.type.shape)])

    def perform(self, node: Any, inputs: Sequence[Any], outputs: Sequence[Any]) -> None:
        outputs[0][0] = fused.log_densities(*self.arguments(inputs))

    def pullback(self, inputs: Sequence[Any], outputs: Sequence[Any], slopes: Sequence[Any]) -> list[Any]:
        theta, counts, *rest = inputs
        (slope,) = slopes
        same = _one_for_all(slope)
        if same is None:
            of_theta = ValueAndSums(self.pairs, self.sources)(theta, counts * slope, *rest)[1]
        else:
            of_theta = same * ValueAndSums(self.pairs, self.sources)(*inputs)[1]
        return [of_theta, *(disconnected_type() for _ in inputs[1:])]


def _one_for_all(slope: Any) -> Any:
    """The scalar that the gradient of a sum is at every row; None of anything else."""
    node = slope.owner
    if node is None or not isinstance(node.op, Elemwise) or not isinstance(node.op.scalar_op, Second):
        return None
    filled = node.inputs[1]
    return filled.reshape(()) if all(filled.type.broadcastable) else None


@register_canonicalize("fast_compile")  # type: ignore[untyped-decorator]
@node_rewriter([Sum])  # type: ignore[untyped-decorator]
def sum_in_one_pass(fgraph: Any, node: Any) -> list[Any] | None:
    """The sum of `RowLogDensities` is the value of `ValueAndSums`."""
    rows = node.inputs[0].owner
    if rows is None or not isinstance(rows.op, RowLogDensities) or node.op.axis not in (None, (0,)):
        return None
    return [ValueAndSums(rows.op.pairs, rows.op.sources)(*rows.inputs)[0]]


@register_funcify_default_op_cache_key(ValueAndSums)  # type: ignore[untyped-decorator]
def _compiled_value_and_sums(op: ValueAndSums, **_: Any) -> Any:
    table, of = op.table, fused.value_and_sums

    @numba_njit
    def value_and_sums(theta, counts, labels, shift, turn, *observed):  # type: ignore[no-untyped-def]
        value, sums = of(theta, counts, labels, shift, turn, table, observed)
        return np.array(value), sums

    return value_and_sums


@register_funcify_default_op_cache_key(RowLogDensities)  # type: ignore[untyped-decorator]
def _compiled_log_densities(op: RowLogDensities, **_: Any) -> Any:
    table, of = op.table, fused.log_densities

    @numba_njit
    def log_densities(theta, counts, labels, shift, turn, *observed):  # type: ignore[no-untyped-def]
        return of(theta, counts, labels, shift, turn, table, observed)

    return log_densities
