"""The log densities of a program as functions of its parameters: by joint state, and as expected under responsibilities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from em.derived.groups import Groups, groups_of
from em.derived.program import Program
from models.inputs import Floats, Integers

type Values = dict[str, Floats]


@dataclass(frozen=True, slots=True, eq=False)
class Expected:
    """What is known at one point.

    Attributes
    ----------
    tables : ``(K, n)`` log joint density of each joint state and each group
    rest, prior : log density of what hangs on no latent variable, and of the parameters
    height : the tables expected under responsibilities, with the rest and, where asked for, the prior: Q
    gradient : ``(p,)`` of that by the parameters, all numbers one after the other
    """

    tables: list[Floats]
    rest: float
    prior: float
    height: float
    gradient: Floats


class Densities:
    """Compiled by numba, in a few seconds, for calls of some ten microseconds, or not; second derivatives are never compiled.

    Attributes
    ----------
    groups : see `em.derived.groups`; None of a program whose mixtures have summed out their own latent variables
    shapes : ``(K, n)`` joint states and groups of each table
    """

    def __init__(self, program: Program, *, compiled: bool = True) -> None:
        import pytensor
        import pytensor.tensor as pt

        self.program, self.space = program, program.space
        self.groups: Groups | None = self._groups() if program.latents else None
        self.tables = self._tables()
        self.shapes = self._shapes()
        self.shares = [pt.matrix(f"responsibilities_{j}", dtype="float64") for j in range(len(self.tables))]
        self.weight = pt.scalar("prior", dtype="float64")
        rest = program.rest + self._unhung
        prior = pt.switch(pt.gt(self.weight, 0), program.prior, 0.0)
        # What is impossible counts for nothing, and has no derivative.
        parts = [pt.switch(pt.eq(r, 0), 0.0, r * t).sum() for r, t in zip(self.shares, self.tables, strict=True)]
        self.expected = sum(parts, rest + prior)
        self.marginal = sum((pt.logsumexp(t, axis=0).sum() for t in self.tables), rest)
        with pytensor.config.change_flags(cxx=""):
            self._all = pytensor.function(
                [*program.parameters, *self.shares, self.weight],
                [*self.tables, rest, program.prior, self.expected, self._gradient(self.expected)],
                mode="NUMBA" if compiled else _uncompiled(),
                on_unused_input="ignore",
            )

    def at(self, values: Values, shares: Sequence[Floats], *, prior: bool) -> Expected:
        """Everything at a point, expected under responsibilities ``(K, n)``."""
        from pymc.logprob.utils import ParameterValueError

        # Numba compiles anew for every other layout of the memory.
        given = [
            np.require(each, float, ["C", "W"]) for each in [*(values[name] for name in self.space.names), *shares]
        ]
        try:
            *tables, rest, log_prior, height, gradient = self._all(*given, float(prior))
        except ParameterValueError:
            # Out where a parameter is rounded to what its distribution does not take, such as a probability above 1.
            nowhere = [np.full(shape, -np.inf) for shape in self.shapes]
            return Expected(nowhere, 0.0, -np.inf, -np.inf, np.zeros(sum(b.size for b in self.space.blocks)))
        return Expected(tables, float(rest), float(log_prior), float(height), gradient)

    @cached_property
    def _products(self) -> Any:
        import pytensor
        import pytensor.tensor as pt
        from pytensor.gradient import NullTypeGradError
        from pytensor.graph.utils import MethodNotDefined

        along = pt.vector("along", dtype="float64")
        whole = self.marginal + pt.switch(pt.gt(self.weight, 0), self.program.prior, 0.0)
        try:
            products = [self._gradient(pt.dot(self._gradient(each), along)) for each in (whole, self.expected)]
        except (MethodNotDefined, NullTypeGradError, NotImplementedError) as error:
            raise ValueError(
                "PyTensor has no second derivatives of the log density, as of a product (write a sum of logarithms) or of the "
                "tail of a gamma distribution, so that a maximum could not be told from a saddle; else give a comparisons.Pair"
            ) from error
        with pytensor.config.change_flags(cxx=""):
            return pytensor.function(
                [*self.program.parameters, *self.shares, self.weight, along],
                products,
                mode=_uncompiled(),
                on_unused_input="ignore",
            )

    def hessians(self, values: Values, shares: Sequence[Floats], *, prior: bool) -> tuple[Floats, Floats]:
        """``(p, p)`` second derivatives by the parameters of the log density, latent variables summed out, and of Q."""
        given = [*(values[name] for name in self.space.names), *shares, float(prior)]
        columns = [self._products(*given, unit) for unit in np.eye(sum(b.size for b in self.space.blocks))]
        found = np.stack(columns, axis=-1)
        return found[0], found[1]

    def _gradient(self, of: Any) -> Any:
        import pytensor.tensor as pt

        parts = pt.grad(of, list(self.program.parameters), disconnected_inputs="ignore")
        return pt.concatenate([part.ravel() for part in parts])

    def _groups(self) -> Groups:
        import pytensor

        program, random = self.program, np.random.default_rng(0)
        inputs = [*program.parameters, *program.hidden]
        with pytensor.config.change_flags(cxx=""):
            of = pytensor.function(inputs, list(program.terms), mode=_uncompiled(), on_unused_input="ignore")
        values = self.space.values(0.5 * random.normal(size=self.space.size))
        point = [values[name] for name in self.space.names]

        def terms(states: list[Integers]) -> list[Floats]:
            return [np.asarray(each) for each in of(*point, *states)]

        return groups_of(program.latents, terms, random)

    def _shapes(self) -> list[tuple[int, int]]:
        """Joint states and groups of each table."""
        if self.groups is not None:
            return [(len(self.groups.possible), self.groups.n)]
        import pytensor

        with pytensor.config.change_flags(cxx=""):
            of = pytensor.function(
                list(self.program.parameters), self.tables, mode=_uncompiled(), on_unused_input="ignore"
            )
        values = self.space.values(np.zeros(self.space.size))
        return [(len(table), table.shape[1]) for table in of(*(values[name] for name in self.space.names))]

    def _tables(self) -> list[Any]:
        import pytensor.tensor as pt
        from pytensor.graph.replace import vectorize_graph

        self._unhung: Any = pt.constant(np.float64(0))
        if self.groups is None:
            return list(self.program.tables.values())
        g, states = self.groups, {}
        for placeholder, values in zip(self.program.hidden, self.groups.states, strict=True):
            states[placeholder] = pt.constant(values)
        table = pt.zeros((g.n, len(g.possible)))
        for term, places in zip(vectorize_graph(list(self.program.terms), states), g.of_terms, strict=True):
            flat = term.reshape((len(g.possible), len(places)))
            each = len(places) // g.n
            if np.array_equal(places, np.repeat(np.arange(g.n), each)):
                table = table + flat.reshape((len(g.possible), g.n, each)).sum(axis=2).T
                continue
            hung = np.flatnonzero(places >= 0)
            table = table[places[hung]].inc(flat[:, hung].T)
            if len(hung) < len(places):
                self._unhung = self._unhung + flat[0, np.flatnonzero(places < 0)].sum()
        table = table.T
        return [table if g.possible.all() else pt.switch(g.possible, table, -np.inf)]


def _uncompiled() -> Any:
    """Operation by operation: some milliseconds a call, ready at once."""
    from pytensor.compile.mode import Mode
    from pytensor.link.vm import VMLinker

    return Mode(VMLinker(use_cloop=False, c_thunks=False), "fast_compile")
