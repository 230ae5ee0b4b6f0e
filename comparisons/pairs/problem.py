"""A pair and its data as a problem: the core's questions answered from two functions and a program."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from comparisons.pair import Pair, PairDeclaration, Values, Words
from comparisons.pairs.ascent import Objective, PairFit, Run, curvature, errors, run, status_of, where_lost
from comparisons.pairs.calling import Function, values_of
from comparisons.pairs.derived import NOT_FOUND, ONE_DENSITY
from comparisons.pairs.posterior import PairPosterior
from comparisons.pairs.program import densities_of, observed
from comparisons.pairs.words import words_of
from comparisons.problem import Problem
from comparisons.quantity_names import along
from comparisons.results.result import NOTES, Model
from comparisons.results.strict_json import number
from em import Interval
from em.derived.coordinates import INSIDE, Coordinates
from em.derived.fit import Errors
from em.derived.symmetry import Exchange
from em.mixture import Scale
from em.search.optima import Mode
from em.uncertainty.curvature import Curvature
from models.inputs import Floats, Integers, shown

if TYPE_CHECKING:
    import pymc as pm
    import xarray as xr

# Starts of EM where none is given, and heights within which two ends are one mode, in nats.
STARTS, SAME_MODE = 10, 1e-6
# Where densities are compared: so many standard errors from the estimate, at least and at most so many units of the coordinates.
SPREAD, LEAST, MOST = 3.0, 0.1, 2.0
# Points at which a constant is looked for, and nats within which it is one.
POINTS, SAME_CONSTANT = 5, 1e-7
_numbers = itertools.count()


@dataclass(frozen=True, slots=True, eq=False)
class Setup:
    """A pair with its data.

    Attributes
    ----------
    comparison : what is asked
    program : the pair's model of the data
    space : its parameters and their domains
    exchange : how its components can change places
    functions : those of the pair by name, ready to be called
    data : as given
    constants : see `comparisons.problem.Problem.constants`
    prior : what `fit` takes for the posterior mode
    """

    comparison: PairDeclaration
    program: pm.Model
    space: Coordinates
    exchange: Exchange
    functions: dict[str, Function]
    data: Any
    constants: tuple[float, float] = (0.0, 0.0)
    prior: bool = True
    _number: int = field(default_factory=lambda: next(_numbers))
    _fits: dict[Any, PairFit] = field(default_factory=dict)
    _starts: dict[int, list[Values]] = field(default_factory=dict)
    _densities: list[Any] = field(default_factory=list)


class PairProblem(Setup, Problem):
    """See `comparisons.problem.Problem`; made by `problem_of`."""

    __slots__ = ()

    @property
    def pair(self) -> Pair:
        """The EM and the program."""
        return self.comparison.pair

    @property
    def units(self) -> Floats:
        """``(f,)`` of the coordinates: 1, and of real parameters the spread of what was observed."""
        seen = [np.ravel(v).astype(float) for v in observed(self.program).values()]
        spread = float(np.nanstd(np.concatenate(seen))) if seen else 1.0
        real = np.array(self.space.kinds()) == "identity"
        return np.where(real, spread if np.isfinite(spread) and spread > 0 else 1.0, 1.0)

    def of_program(self, values: Values) -> tuple[float, float]:
        """The program's own log-likelihood and log prior."""
        if not self._densities:
            self._densities.append(densities_of(self.program))
        likelihood, prior = self._densities[0](*(values[name] for name in self.space.names))
        return float(likelihood), float(prior)

    # The declaration

    @property
    def n(self) -> int:
        return max((int(np.shape(rv)[0]) for rv in observed(self.program).values() if np.ndim(rv)), default=1)

    @property
    def structure(self) -> tuple[Any, ...]:
        # Data may be constants of the program, so that no other shares what is compiled of it.
        return ("pair", self._number)

    @property
    def words(self) -> Words:
        """What is said of model and data: what the pair says, else the lines of the program."""
        if self.pair.words is not None:
            return self.pair.words(self.data)
        return words_of(self.program if self.pair.derived is None else self.pair.derived.model, observed(self.program))

    def in_words(self) -> Model:
        own, reason = self.words, self.comparison.prior_reason
        if self.pair.derived is not None:
            reason = ONE_DENSITY
        elif self.pair.log_prior is None:
            reason = "EM's log prior is read off the program, so it is one density, not two."
        if self.ordered:
            reason = f"{reason} Components that can change places are put in order: {self.exchange.told}."
        told = [*own.formula], [*own.prior], reason
        return Model(own.family, 1, [], dict(own.options), *told, {}, dict.fromkeys(NOTES, ""))

    @property
    def one_density(self) -> str:
        return "" if self.pair.derived is None else NOT_FOUND

    def observed(self) -> dict[str, list[Any]]:
        return {
            name: [number(float(v)) for v in np.ravel(values)]
            for name, values in self.words.columns.items()
            if np.ndim(values) <= 1
        }

    # EM's side

    def objective(self, *, prior: bool) -> Objective:
        """What EM maximises, with or without the prior."""
        own = not prior or self.pair.knows_prior
        height = (lambda v: self.log_likelihood(v) + self.log_prior(v)) if prior else self.log_likelihood
        step = (lambda v: self.step(v, prior=prior)) if own else None
        return Objective(self.space, self.units, self.names, prior, height, step, self.pair.stop)

    def step(self, values: Values, *, prior: bool = False) -> Values:
        """One iteration of the pair's own EM."""
        f, shapes = self.functions, self.space.shapes
        if "em_step" in f:
            return values_of(f["em_step"](values, prior=prior), "em_step", shapes)
        return values_of(f["m_step"](values, f["e_step"](values, prior=prior), prior=prior), "m_step", shapes)

    def fit(self, prior: Any, start: Values | None = None, seed: int = 0, *, path: bool = False) -> PairFit:
        objective = self.objective(prior=bool(prior))
        if start is not None:
            return self._fitted(objective, [run(objective, start)], in_order=False)
        # Starts that are told are the same whatever the seed.
        key = (bool(prior), seed if self.pair.start is None else 0)
        if key not in self._fits:
            runs = [run(objective, each) for each in self.starts(seed) if np.isfinite(objective.height(each))]
            if not runs:
                raise ValueError("EM's objective is not finite at any start; give start=, parameters near the data")
            self._fits[key] = self._fitted(objective, runs, in_order=True)
        return self._fits[key]

    def starts(self, seed: int) -> list[Values]:
        """Where EM begins: as given, else draws of the program's prior."""
        if seed not in self._starts:
            self._starts[seed] = self._begun(seed)
        return self._starts[seed]

    def _begun(self, seed: int) -> list[Values]:
        given, shapes = self.pair.start, self.space.shapes
        if given is not None:
            told = given if isinstance(given, Mapping) else self.functions["start"]({})
            return [values_of(each, "start", shapes) for each in (told if isinstance(told, list) else [told])]
        drawn = self._drawn(STARTS, seed)
        if drawn is None:
            raise ValueError("the program's prior cannot be drawn from; give start=, parameters near the data")
        return [{name: values[j] for name, values in drawn.items()} for j in range(STARTS)]

    def _fitted(self, objective: Objective, runs: Sequence[Run], *, in_order: bool) -> PairFit:
        kept = [each for each in runs if not each.lost]
        if not kept:
            raise ValueError(where_lost(runs))
        judged = [curvature(objective, each.path[-1]) for each in kept]
        status = [status_of(j, each.ended) for j, each in zip(judged, kept, strict=True)]
        regular = [told in ("converged", "boundary", "ridge") for told in status]
        places = sorted(range(len(kept)), key=lambda j: (regular[j], kept[j].trace[-1]), reverse=True)
        modes: list[Mode[Any]] = []
        for j in places:
            values, height = kept[j].path[-1], kept[j].trace[-1]
            same = [k for k, m in enumerate(modes) if abs(objective.height(m.parameters) - height) < SAME_MODE]
            if same:
                modes[same[0]] = replace(modes[same[0]], starts=modes[same[0]].starts + 1)
            else:
                values = self.in_order(values) if in_order else values
                modes.append(Mode(self.log_likelihood(values), values, 1, regular[j]))
        for each in runs:
            if each.lost:
                values = self.in_order(each.path[-1]) if in_order else each.path[-1]
                modes.append(Mode(self.log_likelihood(values), values, 1, regular=False))
        best = places[0]
        won, values = kept[best], kept[best].path[-1]
        likelihood = self.log_likelihood(values)
        posterior = likelihood + self.log_prior(values) if objective.prior else None
        fit = PairFit(
            values,
            likelihood,
            posterior,
            np.array(won.trace),
            tuple(won.path),
            errors(objective, judged[best], status[best], values),
            tuple(modes),
            status[best],
            judged[best].rate,
        )
        return self.relabelled(fit) if in_order else fit

    def log_likelihood(self, parameters: Values) -> float:
        return float(self.functions["log_likelihood"](parameters)) + self.constants[0]

    def log_prior(self, parameters: Values) -> float:
        if "log_prior" in self.functions:
            return float(self.functions["log_prior"](parameters)) + self.constants[1]
        return self.of_program(parameters)[1]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for block in self.space.blocks for name in self._labels(block.name, block.shape))

    def _labels(self, name: str, shape: tuple[int, ...]) -> list[str]:
        """A name for each number: the parameter's, and in brackets what the program calls its place, or ArviZ's number of it."""
        places = self.coordinates
        labels = itertools.product(*([along(dim, each) for each in places[dim]] for dim in self._dims(name, shape)))
        return [f"{name}[{', '.join(each)}]" if each else name for each in labels]

    def _dims(self, name: str, shape: tuple[int, ...]) -> list[str]:
        told = self.program.named_vars_to_dims.get(name, (None,) * len(shape))
        return [dim or f"{name}_dim_{axis}" for axis, dim in enumerate(told)]

    @property
    def coordinates(self) -> dict[str, list[str]]:
        return {
            dim: [str(each) for each in self.program.coords.get(dim) or range(size)]
            for block in self.space.blocks
            for dim, size in zip(self._dims(block.name, block.shape), block.shape, strict=True)
        }

    @property
    def n_free(self) -> int:
        return self.space.size

    def entries(self, values: Any) -> Floats:
        return self.space.vector(values.values if isinstance(values, Errors) else values)

    def curvature(self, prior: Any, parameters: Values) -> Curvature:
        return curvature(self.objective(prior=bool(prior)), parameters)

    def profile_interval(self, fit: PairFit, name: str, probability: float) -> Interval:
        return Interval(name, np.nan, np.nan, probability, "no ends: pairs are not profiled")

    # PyMC's side

    def model(self) -> pm.Model:
        return self.program

    def from_pymc(self, values: dict[str, Any]) -> Values:
        return {name: np.asarray(values[name], dtype=float) for name in self.space.names}

    def to_pymc(self, parameters: Values) -> dict[str, Floats]:
        return dict(parameters)

    def free_numbers(self, natural: dict[str, Floats]) -> Floats:
        return self.space.free_numbers(natural)

    def interior(self, parameters: Values) -> bool:
        return bool(np.isfinite(self.space.of(parameters)).all())

    def refuse_others(self, parameters: Values) -> None:
        if (name := self.space.outside(parameters)) is not None:
            domain = self.space.domain(name)
            raise ValueError(f"{name} is {shown(parameters[name])}, outside its domain in the program, {domain}")

    def random_parameters(self, random: np.random.Generator) -> Values:
        # Random points need no fit that is right, only one that is near the data.
        fit = self.fit(None)
        x = self.space.of(fit.parameters)
        spread = LEAST * self.units
        if fit.standard_errors.reason is None:
            moves = self.space.moves(x)
            spread = SPREAD * np.abs(np.linalg.pinv(moves)) @ self.entries(fit.standard_errors)
        real = np.array(self.space.kinds()) == "identity"
        spread = np.where(real & (spread > 0), spread, np.clip(np.nan_to_num(spread, nan=LEAST), LEAST, MOST))
        return self.space.values(self.space.off_bounds(x, INSIDE) + spread * random.normal(size=len(x)))

    # Components that can be exchanged

    @property
    def components(self) -> int:
        """How many components can change places; 0 for none."""
        return self.exchange.components

    @property
    def ordered(self) -> bool:
        return bool(self.components)

    def exchangeable(self, model: pm.Model) -> Integers:
        return np.zeros(self.components, dtype=np.int64)

    def in_order(self, parameters: Values) -> Values:
        return self.exchange.in_order(parameters)

    def relabelled(self, fit: PairFit) -> PairFit:
        order, told = self.exchange.order(fit.parameters), fit.standard_errors
        permuted = partial(self.exchange.permuted, order=order)
        places, signs = self.exchange.places(order), self.exchange.signs(order)
        spread = self.space.vector(told.values)[places]
        covariance = told.covariance[np.ix_(places, places)] * np.outer(signs, signs)
        return replace(
            fit,
            parameters=permuted(fit.parameters),
            path=tuple(permuted(each) for each in fit.path),
            modes=tuple(replace(m, parameters=self.in_order(m.parameters)) for m in fit.modes),
            standard_errors=Errors(self.space.by_name(spread), covariance, told.names, told.reason),
        )

    def draws_in_order(self, tree: xr.DataTree, groups: Integers) -> xr.Dataset:
        drawn: xr.Dataset = tree["posterior"].to_dataset()
        ordered = self.in_order({name: drawn[name].values for name in self.space.names})
        return drawn.assign({name: (drawn[name].dims, ordered[name]) for name in self.exchange.names})

    # Quantities

    def arrays(self, parameters: Values) -> dict[str, Floats]:
        return {name: np.asarray(parameters[name]) for name in self.space.names}

    def arrays_of_draws(self, posterior: xr.Dataset) -> dict[str, Floats]:
        return {name: posterior[name].values for name in self.space.names}

    def of_arrays(self, arrays: dict[str, Floats]) -> Values:
        return arrays

    def quantities(self, arrays: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for block in self.space.blocks:
            values = arrays[block.name]
            flat = values.reshape(*values.shape[: values.ndim - len(block.shape)], block.size)
            found |= {label: flat[..., j] for j, label in enumerate(self._labels(block.name, block.shape))}
        return found

    def gradients(self, parameters: Values) -> dict[str, Floats]:
        return dict(zip(self.names, np.eye(len(self.names)), strict=True))

    def of_fit(self, fit: PairFit) -> dict[str, tuple[float, float]]:
        spread = np.sqrt(np.diag(fit.standard_errors.covariance))
        values = [float(v) for name in self.space.names for v in np.ravel(fit.parameters[name])]
        return {name: (value, float(error)) for name, value, error in zip(self.names, values, spread, strict=True)}

    def scale(self, name: str) -> Scale:
        block = next(b for b in self.space.blocks if name in self._labels(b.name, b.shape))
        if block.kind == "log" and block.low == 0:
            return "log"
        return "logit" if block.kind in ("logit", "simplex") and (block.low, block.high) == (0, 1) else "identity"

    def prior_draws(self, groups: Integers, n: int, random: np.random.Generator) -> dict[str, Floats] | None:
        drawn = self._drawn(n, int(random.integers(2**31)))
        return None if drawn is None else self.in_order(drawn)

    def prior_is_flat(self) -> bool:
        random = np.random.default_rng(0)
        told = [self.log_prior(self.space.values(random.normal(size=self.space.size))) for _ in range(POINTS)]
        return bool(np.ptp(told) <= SAME_CONSTANT)

    def _drawn(self, n: int, seed: int) -> Values | None:
        """``n`` draws of the program's prior; None where it has none."""
        import pymc as pm

        try:
            drawn = pm.draw(self.program.free_RVs, draws=n, random_seed=seed)
        except NotImplementedError:
            return None
        return {str(v.name): np.asarray(d, dtype=float) for v, d in zip(self.program.free_RVs, drawn, strict=True)}

    @property
    def unconstrained(self) -> PairPosterior:
        return PairPosterior(self)
