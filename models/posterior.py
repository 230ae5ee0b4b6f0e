"""The log posterior of a PyMC model as one function of one vector, used for everything that asks for PyMC's density.

``x`` are the free variables on PyMC's unconstrained scale, ravelled in the order of ``model.value_vars``. The parts are kept
apart: log-likelihood, log prior *on the natural scale*, and the Jacobian of the transforms, which only a sampler needs. The
graph is evaluated operation by operation: that takes 2 to 6 ms a call where machine code takes 0.03, but is ready in a
second instead of half a minute. Machine code is for those who sample the model, or whose machine has it already.
"""

from __future__ import annotations

from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from models.inputs import Floats, some_of
from models.machine_code import Arguments, MachineCode

if TYPE_CHECKING:
    import pymc as pm

# Unconstrained units: wide enough to break the symmetry of components, narrow enough to stay where the density is.
JITTER = 1.0


class LogPosterior:
    """Log-likelihood, log prior, Jacobian and gradient of a PyMC model; its potentials count to the log prior.

    Parameters
    ----------
    model : of `models.coin_mixture` or `models.gaussian_mixture`, or any without discrete free variables
    compiled : evaluate by machine code, see `models.machine_code`: a call is a hundred times faster, but the first on a machine
        takes ten to thirty seconds

    Attributes
    ----------
    names : free variables in the order of ``x``
    shapes : theirs on the unconstrained scale
    size : length of ``x``
    scale : ``(size,)`` what one unit of each coordinate is, so that nothing depends on the units of the data
    """

    def __repr__(self) -> str:
        """Its variables and their sizes."""
        told = [f"{name} {shape}" for name, shape in zip(self.names, self.shapes, strict=True)]
        return f"LogPosterior({some_of(told)}; {self.size} in all)"

    def __init__(self, model: pm.Model, *, compiled: bool = False) -> None:
        import pytensor
        import pytensor.tensor as pt
        from pytensor.graph.replace import clone_replace

        if not hasattr(model, "free_RVs"):
            raise TypeError(
                f"model must be a pymc.Model, but is {type(model).__name__}; models.coin_mixture builds one"
            )
        self.model = model
        self.names = tuple(variable.name for variable in model.free_RVs)
        start = model.initial_point()
        values = [model.rvs_to_values[variable] for variable in model.free_RVs]
        self.shapes = tuple(np.shape(start[value.name]) for value in values)
        self._ends = np.cumsum([int(np.prod(shape)) for shape in self.shapes])
        self.size = int(self._ends[-1])
        self._value_names = tuple(value.name for value in values)
        self._place(start)
        x = pt.vector("x", shape=(self.size,))
        pieces = self._pieces(x)
        unobserved = [*model.free_RVs, *model.potentials]
        likelihood, prior, with_jacobian = clone_replace(
            [
                model.logp(vars=model.observed_RVs),
                model.logp(vars=unobserved, jacobian=False),
                model.logp(vars=unobserved, jacobian=True),
            ],
            pieces,
        )
        shares = pt.vector("shares", shape=(2,))
        parts = likelihood, prior, with_jacobian - prior
        self._graph = x, shares, parts
        self._compiled = compiled
        # Without a C compiler nothing is compiled by the way, which on a new machine would take half a minute.
        with pytensor.config.change_flags(cxx=""):
            if not compiled:
                outputs = [*parts, pt.grad(likelihood + shares[0] * prior, x)]
                self._evaluate = pytensor.function(
                    [x, shares], outputs, mode=_slow_but_soon(), on_unused_input="ignore"
                )
            self._ranks = {v.name: v.type.ndim for v in model.unobserved_RVs}
            self._forward = pytensor.function(
                list(model.free_RVs),
                [
                    (v if (t := model.rvs_to_transforms[v]) is None else t.forward(v, *v.owner.inputs)).ravel()
                    for v in model.free_RVs
                ],
                mode=_slow_but_soon(),
                on_unused_input="ignore",
            )

    @cached_property
    def _natural(self) -> Any:
        """All variables at points ``(m, size)``; made when first asked for, since who compares densities does not."""
        import pytensor
        import pytensor.tensor as pt
        from pytensor.graph.replace import clone_replace, vectorize_graph

        model, x = self.model, self._graph[0]
        natural = clone_replace(model.replace_rvs_by_values(list(model.unobserved_RVs)), self._pieces(x))
        points = pt.matrix("points", shape=(None, self.size))
        with pytensor.config.change_flags(cxx=""):
            return pytensor.function(
                [points], vectorize_graph(natural, {x: points}), mode=_slow_but_soon(), on_unused_input="ignore"
            )

    @cached_property
    def code(self) -> MachineCode:
        """The same graph as machine code, which a sampler calls too."""
        return MachineCode(self.model, *self._graph)

    def take_data(self, model: pm.Model) -> None:
        """Stand from now on for another model of the same graph: its data and prior numbers are put in place of these.

        Raises
        ------
        ValueError
            if the two models do not have the same data variables
        """
        here = {variable.name: variable for variable in self.model.data_vars}
        there = {variable.name: variable for variable in model.data_vars}
        if here.keys() != there.keys():
            raise ValueError(
                f"the models differ in their data: {sorted(here.keys() ^ there.keys())}; build a new LogPosterior"
            )
        for name, variable in here.items():
            # Both hold the same arrays: `set_value` puts others in their place, and nothing writes into them.
            variable.set_value(there[name].get_value(borrow=True), borrow=True)
        self._place(self.model.initial_point())

    def _place(self, start: dict[str, Any]) -> None:
        """Where starts begin and what their unit is: both depend on the data."""
        self._arguments: Arguments | None = None
        self._differentiated, self._parts = np.zeros(2), np.empty(3)
        self.start = np.concatenate([np.ravel(start[name]) for name in self._value_names]).astype(float)
        self.scale = self._scale()

    def _scale(self) -> Floats:
        """What one unit of each coordinate is: means of models that do not say where data are white are in their units."""
        scale = np.ones(self.size)
        if not self._ours:
            return scale
        if "means" in self.names and "white_back" not in self.model.named_vars:
            rows = self.model["observed_y"].get_value()
            place = self.names.index("means")
            spread = np.broadcast_to(rows.std(axis=0), self.shapes[place]).ravel()
            scale[self._ends[place] - spread.size : self._ends[place]] = spread
        if "head_probabilities" in self.names and "log_largest" in self.model.named_vars:
            # Of very many tosses the shares may lie so close together that a logit is a large unit.
            last = self._ends[self.names.index("head_probabilities")]
            scale[last - self.shapes[self.names.index("head_probabilities")][0] : last] = min(self._shares()[1], 1.0)
        return scale

    @property
    def _ours(self) -> bool:
        """Whether the model is one of this package's mixtures, so that its names say what they are of."""
        return "exchangeable" in self.model.named_vars

    def _shares(self) -> tuple[float, float]:
        """Logit of the share of heads in the data, and the spread of the logits of the bags, or their error if that is larger."""
        heads, tosses = (self.model[name].get_value().astype(float) for name in ("observed_heads", "tosses"))
        tails = tosses - heads
        pooled = np.log((heads.sum() + 0.5) / (tails.sum() + 0.5))
        error = 1 / np.sqrt((heads.sum() + 0.5) * (tails.sum() + 0.5) / tosses.sum())
        return float(pooled), float(max(np.log((heads + 0.5) / (tails + 0.5)).std(), error))

    def _split(self, x: Any) -> list[Any]:
        starts = [0, *self._ends[:-1]]
        return [x[a:b] for a, b in zip(starts, self._ends, strict=True)]

    def _pieces(self, x: Any) -> dict[Any, Any]:
        """Values of the free variables, cut out of the vector."""
        values = (self.model.rvs_to_values[variable] for variable in self.model.free_RVs)
        return {v: part.reshape(shape) for v, part, shape in zip(values, self._split(x), self.shapes, strict=True)}

    def spread_out_start(self, random: np.random.Generator, jitter: float = JITTER) -> Floats:
        """A start that knows no fit: PyMC's initial point and jitter, means at random rows, heads near their share."""
        x = self.start + random.uniform(-jitter, jitter, size=self.size)
        if not self._ours:
            return x
        if "means" in self.names:
            rows = self.model["observed_y"].get_value()
            place = self.names.index("means")
            drawn = rows[random.choice(len(rows), size=self.shapes[place][0])]
            if "white_back" in self.model.named_vars:
                back, location = (self.model[name].get_value() for name in ("white_back", "white_location"))
                drawn = (np.where(np.isnan(drawn), location, drawn) - location) @ back.T
            x[self._ends[place] - drawn.size : self._ends[place]] = drawn.ravel()
        if "head_probabilities" in self.names and "observed_heads" in self.model.named_vars:
            # Of 1e9 tosses with 3 heads a chance of 1/2 is too far away for any sampler to come from.
            last = self._ends[self.names.index("head_probabilities")]
            own = slice(last - self.shapes[self.names.index("head_probabilities")][0], last)
            x[own] = self._shares()[0] + self.scale[own] * (x - self.start)[own]
        return x

    def parts(self, x: Floats) -> tuple[float, float, float]:
        """Log-likelihood, log prior on the natural scale, and log Jacobian of the transforms, in nats."""
        likelihood, prior, jacobian, _ = self._at(x)
        return float(likelihood), float(prior), float(jacobian)

    def value_and_gradient(self, x: Floats) -> tuple[float, Floats]:
        """Log posterior on the natural scale (no Jacobian), and its gradient by ``x``.

        So far out that a parameter leaves its domain by rounding, as a standard deviation that is 0, they are -inf and NaN.
        """
        likelihood, prior, _, gradient = self._at(x)
        return float(likelihood + prior), np.asarray(gradient)

    def gradient(self, x: Floats, *, prior: bool) -> Floats:
        """``(size,)`` gradient by ``x`` of the log posterior on the natural scale, or of the log-likelihood alone."""
        return np.asarray(self._at(x, 1.0 if prior else 0.0)[3])

    def _at(self, x: Floats, share: float = 1.0) -> tuple[Any, Any, Any, Any]:
        """Log-likelihood, log prior, log Jacobian, and the gradient of the log-likelihood and a ``share`` of the log prior."""
        if self._compiled:
            if self._arguments is None:
                self._arguments = self.code.arguments(self._differentiated, self._parts)
            self._differentiated[0] = share
            gradient = self.code.gradient(x, self._arguments)
            if gradient is not None:
                return *self._parts, gradient
        else:
            from pymc.logprob.utils import ParameterValueError

            with suppress(ParameterValueError):
                likelihood, prior, jacobian, gradient = self._evaluate(x, np.array([share, 0.0]))
                return likelihood, prior, jacobian, gradient
        return -np.inf, -np.inf, np.nan, np.full(self.size, np.nan)

    def hessian(self, x: Floats) -> Floats:
        """``(size, size)`` second derivatives by ``x`` of what `value_and_gradient` returns, by central differences."""
        step = np.cbrt(np.finfo(float).eps) * self.scale * np.maximum(1.0, np.abs((x - self.start) / self.scale))
        rows = []
        for j, h in enumerate(step):
            moved = np.zeros(self.size)
            moved[j] = h
            rows.append((self.value_and_gradient(x + moved)[1] - self.value_and_gradient(x - moved)[1]) / (2 * h))
        matrix = np.array(rows)
        return np.asarray(0.5 * (matrix + matrix.T))

    def natural(self, x: Floats) -> dict[str, Floats]:
        """All parameters at ``x`` by name, deterministics among them."""
        return {name: values[0] for name, values in self.naturals(x[None]).items()}

    def naturals(self, points: Floats) -> dict[str, Floats]:
        """All parameters ``(m, ...)`` at each of the ``points`` ``(m, size)``, by name."""
        found = {}
        for (name, rank), values in zip(self._ranks.items(), self._natural(points), strict=True):
            # What depends on no free variable comes once.
            shape = np.shape(values) if np.ndim(values) > rank else (len(points), *np.shape(values))
            found[name] = np.array(np.broadcast_to(values, shape))
        return found

    def unconstrained(self, parameters: dict[str, Any]) -> Floats:
        """The vector ``x`` of free variables given by name on their natural scale."""
        missing = [name for name in self.names if name not in parameters]
        if missing:
            raise ValueError(f"parameters lack {', '.join(missing)}; give every free variable of the model")
        return np.asarray(
            np.concatenate(self._forward(*(np.asarray(parameters[name], dtype=float) for name in self.names)))
        )


def _slow_but_soon() -> Any:
    """Operation by operation."""
    from pytensor.compile.mode import Mode
    from pytensor.link.vm import VMLinker

    return Mode(VMLinker(use_cloop=False, c_thunks=False), "fast_compile")
