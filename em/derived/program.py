"""What a PyMC program says: its parameters, its latent variables with their states, and the terms of its log density.

All is written in the parameters on their natural scale, so that the prior is the density there, without any Jacobian. What no EM
by enumeration can be made of is refused here, with the reason and what to do.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from em.derived.coordinates import Coordinates, block_of
from models.inputs import Floats, Integers, shown, some_of

if TYPE_CHECKING:
    import pymc as pm

MIXTURE = "MixtureRV"
# What sizes what it makes by one of its inputs.
SIZING = {"ARange", "Alloc", "AllocEmpty"}


@dataclass(frozen=True, slots=True, eq=False)
class Latent:
    """A latent variable: its name, its ``shape``, and the values that each of its entries may have."""

    name: str
    variable: Any
    shape: tuple[int, ...]
    states: Integers


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """A program taken apart.

    Attributes
    ----------
    parameters : placeholders of the free variables that are no latent ones, in the order of ``space``
    space : their domains
    latents : what is summed out; empty where mixtures have it summed out already
    hidden : placeholders of the latent variables
    terms : log densities, entry by entry, of what hangs on a latent variable, given the placeholders
    tables : ``(K, n)`` joint log densities of the components and the rows of each mixture that has summed out its own
    rest : log density of what is observed and hangs on none
    prior : log density of the parameters
    """

    model: pm.Model
    parameters: tuple[Any, ...]
    space: Coordinates
    latents: tuple[Latent, ...]
    hidden: tuple[Any, ...]
    terms: tuple[Any, ...]
    tables: dict[str, Any]
    rest: Any
    prior: Any


def program_of(model: pm.Model, latent: str | Sequence[str] | None) -> Program:
    """Take a program apart; see `em.derive` for what is refused."""
    import pymc as pm
    import pytensor.tensor as pt
    from pymc.logprob.basic import conditional_logp

    if not isinstance(model, pm.Model):
        raise TypeError(f"model is {type(model).__name__}; give a pymc.Model")
    _refuse_rows(model)
    variables = _latent_variables(model, latent)
    _refuse_latents(model, variables)
    hidden = {v: v.type(str(v.name)) for v in variables}
    free = {v: v.type(str(v.name)) for v in model.free_RVs if v not in hidden}
    if not free:
        raise ValueError("model has no continuous free variable; declare the parameters as variables of the program")
    if not model.observed_RVs:
        raise ValueError("model has nothing observed; give its data as observed= of a variable, or by pm.observe")
    space = Coordinates(tuple(block_of(model, v) for v in free))
    observed = {v: model.rvs_to_values[v] for v in model.observed_RVs}
    logps = conditional_logp({**free, **hidden, **observed})
    terms, rest = [], pt.constant(np.float64(0))
    for variable, value in {**hidden, **observed}.items():
        term = logps[value].astype("float64")
        if _hangs(term, hidden.values()):
            terms.append(term)
        elif hidden or type(variable.owner.op).__name__ != MIXTURE:
            rest = rest + term.sum()
    for variable, value in free.items():
        if _hangs(logps[value], hidden.values()):
            raise ValueError(
                f"the density of the parameter {variable.name} hangs on a latent variable; EM sums out what the data hang on, so "
                f"write {variable.name} so that it does not, or sample the program as it is"
            )
    tables = {} if hidden else {str(v.name): _table(v, observed[v], free) for v in observed if _sums_out(v)}
    return Program(
        model,
        tuple(free.values()),
        space,
        tuple(Latent(str(v.name), v, _shape(v), _states(v)) for v in variables),
        tuple(hidden.values()),
        tuple(terms),
        tables,
        rest,
        sum((logps[value].sum() for value in free.values()), pt.constant(np.float64(0))),
    )


def _latent_variables(model: pm.Model, latent: str | Sequence[str] | None) -> list[Any]:
    """The discrete free variables, which are all that is named, where something is; refused where there are none."""
    discrete = [v for v in model.free_RVs if _is_discrete(v)]
    named = _names(latent)
    names = {str(v.name) for v in discrete}
    for name in named:
        if name in names or any(str(v.name) == name and _sums_out(v) for v in model.observed_RVs):
            continue
        if name in {str(v.name) for v in model.free_RVs}:
            raise ValueError(
                f"latent is {shown(name)}, which is continuous, and EM sums over states; sample it, or integrate it out by hand "
                "and give a comparisons.Pair"
            )
        known = (
            f"the discrete free variables are {some_of(sorted(names))}"
            if names
            else "model has no discrete free variable"
        )
        raise ValueError(f"latent is {shown(name)}, but {known}; name those, or none for all")
    if left := sorted(names - set(named)) if named else []:
        raise ValueError(f"latent leaves out the discrete variable {left[0]}, which no EM can fit; name it too")
    if not discrete and not any(_sums_out(v) for v in model.observed_RVs):
        raise ValueError(
            "model has no discrete latent variable and no pm.Mixture, so that there is nothing to sum out; continuous latent "
            "variables need an EM by hand: give a comparisons.Pair"
        )
    return discrete


def _names(latent: Any) -> list[str]:
    """Those that are given, each once; none where None."""
    if latent is None or isinstance(latent, str):
        return [] if latent is None else [latent]
    if not isinstance(latent, Sequence) or not latent or not all(isinstance(each, str) for each in latent):
        raise TypeError(f"latent is {shown(latent)}; give the name of a variable, a list of names, or None for all")
    if len(set(latent)) < len(latent):
        raise ValueError(f"latent is {shown(latent)}, which has a name twice; name each variable once")
    return list(latent)


def _refuse_rows(model: pm.Model) -> None:
    """What EM has no use for, or cannot see through."""
    if model.potentials:
        raise ValueError(
            f"model has the potential {model.potentials[0].name}, which may be of data or of parameters; leave one that orders "
            "components out, since they are put in order afterwards, and write another one as a variable"
        )
    for variable in model.free_RVs:
        name = str(variable.name).removesuffix("_unobserved")
        if name != variable.name and not _is_discrete(variable):
            raise ValueError(
                f"{name} has missing values, which PyMC makes continuous latent variables; leave these rows out"
            )
    for variable in model.observed_RVs:
        value = model.rvs_to_values[variable]
        known = getattr(value, "data", None) if not hasattr(value, "get_value") else value.get_value()
        if known is not None and not np.isfinite(np.asarray(known, dtype=float)).all():
            raise ValueError(
                f"{variable.name} is observed with values that are no finite numbers; leave these rows out"
            )
    for name, kind, _ in _nodes(model):
        if kind in ("MinibatchOp", "MinibatchRandomVariable"):
            raise ValueError(f"{name} is of a minibatch, or has a total_size; EM needs all rows: give them")
        if kind == "Scan":
            raise ValueError(
                f"{name} is made by a scan, whose steps hang on each other; EM by enumeration needs groups of rows that do "
                "not: sample it, or give a comparisons.Pair"
            )


def _refuse_latents(model: pm.Model, latents: list[Any]) -> None:
    """Latent variables that decide how much there is of others."""
    for name, kind, node in _nodes(model):
        sizes = node.inputs[1:2] if kind.endswith("RV") and hasattr(node.op, "ndims_params") else []
        sizes = node.inputs if kind in SIZING else sizes
        for latent in latents:
            if not _hangs_on(sizes, [latent]):
                continue
            raise ValueError(
                f"the latent variable {latent.name} sizes another one of which {name} is made; write the program with the "
                "largest size, and entries that count for nothing"
            )


def _nodes(model: pm.Model) -> Iterator[tuple[str, str, Any]]:
    """By variable what it is made of: its name, and of each node the kind of operation and itself."""
    from pytensor.graph.traversal import ancestors

    for variable in [*model.free_RVs, *model.observed_RVs]:
        for each in ancestors([variable, model.rvs_to_values[variable]]):
            if each.owner is not None:
                yield str(variable.name), type(each.owner.op).__name__, each.owner


def _hangs(term: Any, on: Iterable[Any]) -> bool:
    return _hangs_on([term], on)


def _hangs_on(graphs: Iterable[Any], on: Iterable[Any]) -> bool:
    from pytensor.graph.traversal import ancestors

    return not {id(v) for v in on}.isdisjoint(id(each) for each in ancestors(list(graphs)))


def columns_of(model: pm.Model, n: int) -> Floats:
    """``(n, c)`` standardised numbers that the program has for each of ``n`` entries: what was observed, and what explains it."""
    from pytensor.compile.sharedvalue import SharedVariable
    from pytensor.graph.basic import Constant
    from pytensor.graph.traversal import ancestors

    observed = [model.rvs_to_values[v] for v in model.observed_RVs]
    found = []
    for each in ancestors([*model.observed_RVs, *observed]):
        if isinstance(each, Constant | SharedVariable):
            data = np.asarray(each.data if isinstance(each, Constant) else each.get_value())
            if data.ndim and n > 1 and n in (data.size, len(data)) and data.dtype.kind in "biuf":
                found.append(data.reshape(n, -1).astype(float))
    columns = np.concatenate(found, axis=1) if found else np.zeros((n, 0))
    with np.errstate(divide="ignore", invalid="ignore"):
        columns = (columns - columns.mean(axis=0)) / columns.std(axis=0)
    return columns[:, np.isfinite(columns).all(axis=0)]


def _is_discrete(variable: Any) -> bool:
    return str(variable.dtype).startswith(("int", "uint", "bool"))


def _sums_out(variable: Any) -> bool:
    return type(variable.owner.op).__name__ == MIXTURE


def _shape(variable: Any) -> tuple[int, ...]:
    import pymc as pm

    return tuple(int(n) for n in pm.draw(variable.shape)) if variable.ndim else ()


def _states(variable: Any) -> Integers:
    """What values a latent variable may have, the same for all of its entries."""
    import pymc as pm

    kind, inputs = type(variable.owner.op).__name__, variable.owner.inputs
    if kind == "BernoulliRV":
        return np.arange(2)
    if kind == "CategoricalRV":
        return np.arange(int(pm.draw(inputs[-1].shape[-1])))
    if kind == "DiscreteUniformRV":
        if not _random(inputs[-2:]):
            low, high = (np.unique(pm.draw(v)) for v in inputs[-2:])
            if len(low) == len(high) == 1:
                return np.arange(int(low[0]), int(high[0]) + 1)
        raise ValueError(f"the bounds of {variable.name} are not the same numbers for all; write it with fixed bounds")
    raise ValueError(
        f"the latent variable {variable.name} is of the kind {kind.removesuffix('RV')}, whose states are not listed here; write "
        "it as pm.Categorical, pm.Bernoulli or pm.DiscreteUniform"
    )


def _random(graphs: Sequence[Any]) -> bool:
    """Whether something is made of what is random."""
    from pytensor.graph.traversal import ancestors

    return any(v.owner is not None and hasattr(v.owner.op, "ndims_params") for v in ancestors(list(graphs)))


def _table(mixture: Any, value: Any, free: dict[Any, Any]) -> Any:
    """``(K, n)`` log weights and log densities of the components of a mixture, rows and whatever axes follow in one."""
    import pytensor.tensor as pt
    from pymc.logprob.basic import logp
    from pytensor.graph.replace import graph_replace

    weights, *components = graph_replace(mixture.owner.inputs[1:], free, strict=False)
    if len(components) == 1:
        axis = -components[0].owner.op.ndim_supp - 1
        rows = logp(components[0], pt.expand_dims(value, axis))
    else:
        rows = pt.stack([logp(each, value) for each in components], axis=-1)
    joint = (pt.log(weights) + rows).astype("float64")
    return pt.moveaxis(joint, -1, 0).reshape((joint.shape[-1], -1))
