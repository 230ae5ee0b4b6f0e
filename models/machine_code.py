"""The log density of a PyMC model as machine code, compiled once a machine and called through C.

PyTensor's graph becomes code by numba, which takes ten to thirty seconds of processor time. What comes out is one C function
with the signature that nutpie calls, ``(size, x, gradient, log_density, arguments) -> status``. It is kept beside PyTensor's own
files, where another process finds it by all that decides it: the graph as PyMC builds it, the source below, and versions;
numba adds its own version and the processor. Data and prior numbers are no part of it, ``arguments`` points at them. Files
are replaced as a whole, so that processes may write them at the same time.

Sums are added in the order in which they are written, which PyTensor by itself leaves to the compiler: so the bits do not depend
on what was compiled together, and are the same whether the code was compiled now or loaded.
"""

from __future__ import annotations

import ctypes
import io
import pickle
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np

from models.inputs import Floats, Integers

if TYPE_CHECKING:
    import pymc as pm

# What the function returns; nutpie tells them apart.
DONE, EXCEPTION, GRADIENT_NOT_FINITE, DENSITY_NOT_FINITE = 0, 1, 3, 4
# Numbers of ``arguments`` to an array: its address and the lengths of its axes.
ROW = 8
# What decides an operation beside the graph that it has: how a loop runs over it, and a gradient of its own.
BESIDE_ITS_GRAPH = ("info", "truncate_gradient", "pullback_overrides")
# Whatever a graph raises is its own affair, and numba knows no other kind of error.
EVALUATE = """
def evaluate(size, x, gradient, log_density, arguments):
    table = carray(arguments, ({length},), int64)
    try:
        shares = carray(pointer(table[0]), (2,), float64)
        likelihood, prior, jacobian, slope = graph(carray(x, ({size},)), shares{arrays})
        height = likelihood[()] + shares[0] * prior[()] + shares[1] * jacobian[()]
        log_density[0] = height
        finite = True
        for j in range({size}):
            gradient[j] = slope[j]
            finite = finite and isfinite(slope[j])
        if table[1] != 0:
            parts = carray(pointer(table[1]), (3,), float64)
            parts[0], parts[1], parts[2] = likelihood[()], prior[()], jacobian[()]
        if not finite:
            return {GRADIENT_NOT_FINITE}
        return {DONE} if isfinite(height) else {DENSITY_NOT_FINITE}
    except Exception:
        return {EXCEPTION}
"""


@dataclass(frozen=True, slots=True, eq=False)
class Arguments:
    """Where the function finds data and prior numbers: ``table`` of addresses, and what has to live as long as it."""

    table: Integers
    held: Sequence[Any]


class MachineCode:
    """One C function: log-likelihood, log prior and log Jacobian of a model, and a gradient of them.

    Parameters
    ----------
    model : whose graph it is; its `pymc.Data` are arguments
    x : tensor ``(size,)``
    shares : tensor ``(2,)``
    parts : log-likelihood, log prior and log Jacobian; differentiated is their sum with these ``shares`` of the last two

    Attributes
    ----------
    address : of the function
    loaded : whether it was on disk
    """

    def __init__(self, model: pm.Model, x: Any, shares: Any, parts: Sequence[Any]) -> None:
        import numba
        import pymc
        import pytensor
        from pytensor.compile.sharedvalue import SharedVariable
        from pytensor.graph.traversal import graph_inputs
        from pytensor.link.numba.cache import compile_numba_function_src

        self.size: int = x.type.shape[0]
        self._shared = [each for each in graph_inputs(parts) if isinstance(each, SharedVariable)]
        source, inputs = self._source(), [x, shares, *self._shared]
        key = graph_key(inputs, parts)
        told = f"{key} {source} {model.check_bounds} {pymc.__version__} {pytensor.__version__}"
        function = compile_numba_function_src(
            source,
            "evaluate",
            {"graph": _later(model, inputs, parts), **_names()},
            cache_key=None if key is None else sha256(told.encode()).hexdigest(),
        )
        types = numba.types
        double = types.CPointer(types.double)
        signature = types.int64(types.uint64, double, double, double, types.voidptr)
        with warnings.catch_warnings():
            # Of a model with a megabyte of constants, which numba puts beside the code.
            warnings.filterwarnings("ignore", "(.|\\n)*Cannot cache compiled function", numba.NumbaWarning)
            made = numba.cfunc(signature, cache=key is not None)(function)
        self.address: int = made.address
        self.loaded = made.cache_hits > 0
        self._kept_alive = made
        self._call = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_uint64, *[ctypes.c_void_p] * 4)(made.address)

    def _source(self) -> str:
        """Of the function, which differs in how many arrays there are, and of which kind and rank."""
        arrays = ""
        for place, variable in enumerate(self._shared, start=1):
            shape = "".join(f"table[{place * ROW + axis}], " for axis in range(1, variable.type.ndim + 1))
            arrays += f",\n            carray(pointer(table[{place * ROW}]), ({shape}), {variable.type.dtype})"
        return EVALUATE.format(size=self.size, length=(len(self._shared) + 1) * ROW, arrays=arrays, **globals())

    def arguments(self, shares: Floats, parts: Floats | None = None) -> Arguments:
        """Arguments of a call, with the data and prior numbers of the model as they are now.

        Parameters
        ----------
        shares : ``(2,)``, read at each call
        parts : ``(3,)``, where log-likelihood, log prior and log Jacobian are written at each call
        """
        # Not copied: new data are put in place of them, never into them.
        values = [np.ascontiguousarray(variable.get_value(borrow=True)) for variable in self._shared]
        table = np.zeros((len(values) + 1, ROW), dtype=np.int64)
        table[0, :2] = shares.ctypes.data, 0 if parts is None else parts.ctypes.data
        for row, array in zip(table[1:], values, strict=True):
            row[: array.ndim + 1] = array.ctypes.data, *array.shape
        return Arguments(table.ravel(), [values, shares, parts])

    def gradient(self, x: Floats, arguments: Arguments) -> Floats | None:
        """``(size,)`` at ``x``; the parts are written where the arguments say. None where the graph raises."""
        x, log_density, gradient = np.ascontiguousarray(x, dtype=float), np.empty(1), np.empty(self.size)
        places = (array.ctypes.data for array in (x, gradient, log_density, arguments.table))
        return None if self._call(self.size, *places) == EXCEPTION else gradient


def _later(model: pm.Model, inputs: Sequence[Any], parts: Sequence[Any]) -> Any:
    """The parts and their gradient as a function for numba, made when its types are asked for: not where the code is on disk."""
    import numba

    def graph(*arguments: Any) -> Any:
        raise NotImplementedError

    @numba.extending.overload(graph)  # type: ignore[untyped-decorator]
    def made(*arguments: Any) -> Any:
        import pytensor
        import pytensor.tensor as pt
        from pymc.pytensorf import compile as compile_graph
        from pytensor.graph.replace import clone_replace

        x, shares, *shared = inputs
        likelihood, prior, jacobian = parts
        gradient = pt.grad(likelihood + shares[0] * prior + shares[1] * jacobian, x)
        given = {variable: variable.type() for variable in shared}
        outputs = clone_replace([*parts, gradient], given)
        # Pieces are not kept: to write them takes longer than they save.
        with (
            pytensor.config.change_flags(numba__fastmath=False, numba__cache=False, cxx=""),
            warnings.catch_warnings(),
            model,
        ):
            # Of a loop with many arrays, which becomes several.
            warnings.filterwarnings("ignore", "Loop fusion failed", UserWarning)
            compiled = compile_graph(
                [x, shares, *given.values()], outputs, mode="NUMBA", on_unused_input="ignore"
            ).vm.jit_fn

        def call(*arguments: Any) -> Any:
            return compiled(*arguments)

        return call

    return graph


def graph_key(inputs: Sequence[Any], outputs: Sequence[Any]) -> str | None:
    """What the outputs are of the inputs, whatever variables are called; None where an operation cannot be told from others."""
    from pytensor.graph.basic import Constant
    from pytensor.graph.traversal import toposort

    told: list[Any] = []
    places: dict[Any, Any] = {variable: ("input", j) for j, variable in enumerate(inputs)}
    types = [str(variable.type) for variable in inputs]

    def place(variable: Any) -> Any:
        if variable not in places:
            assert isinstance(variable, Constant), f"{variable} is no input"
            data = np.asarray(variable.data)
            places[variable] = ("constant", str(variable.type), sha256(data.tobytes()).hexdigest())
        return places[variable]

    for j, node in enumerate(toposort(outputs)):
        operation = _operation_key(node.op)
        if operation is None:
            return None
        told.append((operation, [place(each) for each in node.inputs], [str(each.type) for each in node.outputs]))
        places |= {variable: (j, k) for k, variable in enumerate(node.outputs)}
    return sha256(repr((types, told, [place(each) for each in outputs])).encode()).hexdigest()


def _operation_key(operation: Any) -> str | None:
    """Of an operation of a graph, which may have a graph of its own."""
    from pytensor.graph.utils import MetaObject

    inner = getattr(operation, "fgraph", None)
    if inner is not None:
        told = [_value_key(getattr(operation, name, None)) for name in BESIDE_ITS_GRAPH]
        keys = [graph_key(inner.inputs, inner.outputs), *told]
        return None if None in keys else f"{type(operation)} {keys}"
    names = getattr(operation, "__props__", None)
    if names is None:
        return _value_key(operation)
    # What PyTensor holds two operations to be equal by; the rest is what one keeps of having been used.
    values = [getattr(operation, name) for name in names]
    keys = [_operation_key(each) if isinstance(each, MetaObject) else _value_key(each) for each in values]
    return None if None in keys else f"{type(operation)} {keys}"


def _value_key(value: Any) -> str | None:
    """Of its content alone: without memory, so that it does not matter which parts are one object and which are equal."""
    content = io.BytesIO()
    pickler = pickle.Pickler(content)
    pickler.fast = True
    try:
        pickler.dump(value)
    except (pickle.PicklingError, AttributeError, TypeError, RecursionError):
        return None
    return sha256(content.getvalue()).hexdigest()


def _names() -> dict[str, Any]:
    """What the source of the function speaks of."""
    import numba
    from numba.core import cgutils, types
    from numba.extending import intrinsic

    @intrinsic  # type: ignore[untyped-decorator]
    def pointer(typing: Any, address: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return builder.inttoptr(arguments[0], cgutils.voidptr_t)

        return types.voidptr(address), code

    numbers = {name: getattr(np, name) for name in ("float64", "float32", "int64", "int32", "int16", "int8")}
    numbers |= {"bool": np.bool_, "isfinite": np.isfinite}
    return {"__name__": __name__, "carray": numba.carray, "pointer": pointer, **numbers}
