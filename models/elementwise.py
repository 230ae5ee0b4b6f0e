"""Mixtures whose parameters are numbers, one of each a component: what their nouns and their PyMC models have in common."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.display import displayed
from models.inputs import (
    Floats,
    Integers,
    distinct_rows,
    instance_of,
    one_each,
    positive_number,
    reordered,
    row_counts,
    row_labels,
    weight_vector,
)
from models.mixture_distribution import (
    add_weights,
    draw_components,
    fused_log_density,
    mixture_log_density,
    take_components,
)
from models.mixtures import MixtureWeights, Weights, checked_labels, enough_rows

if TYPE_CHECKING:
    import pymc as pm


class CountedRows:
    """Rows of numbers: a frozen dataclass of columns ``(n,)``, what is observed first, ``counts`` and ``labels`` last.

    Counts need not be whole: a row counted 2.5 times has 2.5 times its log density, in standard errors and BIC too.
    """

    __slots__ = ()
    counts: Integers
    labels: Integers

    __repr__ = displayed

    def _hold(self, counts: ArrayLike | None, labels: ArrayLike | None, **columns: NDArray[Any]) -> None:
        """Keep columns that were checked each for itself, and see that there are counts and labels for them."""
        n = len(next(iter(columns.values())))
        for name, values in (columns | {"counts": row_counts(counts, n), "labels": row_labels(labels, n)}).items():
            object.__setattr__(self, name, values)

    @property
    def names(self) -> list[str]:
        """Of the columns."""
        return [field.name for field in fields(self)[:-2]]  # type: ignore[arg-type]

    @property
    def columns(self) -> Floats:
        """``(n, c)``."""
        return np.column_stack([getattr(self, name) for name in self.names]).astype(float)

    @property
    def n(self) -> int:
        """Number of rows, each counted as often as it was seen; no whole number where counts are not."""
        return self.counts.sum().item()

    def seen(self) -> Self:
        """The same data without the rows that were counted 0 times, which are not there."""
        return self.taken(np.flatnonzero(self.counts > 0))

    def taken(self, rows: Integers) -> Self:
        """Some of the rows."""
        return type(self)(*(getattr(self, field.name)[rows] for field in fields(self)))  # type: ignore[arg-type]

    def distinct(self) -> Self:
        """The same data as sorted distinct rows (the label first, what is observed last) with their counts."""
        seen = self.seen()
        unique, counts = distinct_rows(np.column_stack([seen.columns, seen.labels])[:, ::-1], seen.counts)
        labels, *columns = unique.T
        return type(self)(*columns[::-1], counts, labels.astype(np.int64))  # type: ignore[call-arg]


class ElementwiseParameters:
    """A mixture: a frozen dataclass of ``weights`` ``(K,)`` and one array ``(K,)`` for each parameter of its components."""

    __slots__ = ()
    weights: Floats

    __repr__ = displayed

    def _hold(self, weights: ArrayLike, **own: ArrayLike) -> None:
        """Check and keep them; what has bounds is checked by the family."""
        chances = weight_vector("weights", weights)
        object.__setattr__(self, "weights", chances)
        for name, values in own.items():
            object.__setattr__(self, name, one_each(name, values, chances))

    def _none_below_0(self, *names: str) -> None:
        """Refuse a negative number; ValueError."""
        for name in names:
            values = getattr(self, name)
            if (values < 0).any():
                k = int(np.argmax(values < 0))
                raise ValueError(f"{name}[{k}] is {values[k]:g}; a {name[:-1]} is 0 at least")

    @property
    def n_components(self) -> int:
        """Number of components."""
        return len(self.weights)

    @property
    def order_keys(self) -> Floats:
        """``(..., K, 2)`` what canonical order compares: the first parameter, then the weight."""
        own = [getattr(self, field.name) for field in fields(self) if field.name != "weights"]  # type: ignore[arg-type]
        return np.stack([own[0], self.weights], axis=-1)

    def permuted(self, permutation: ArrayLike) -> Self:
        """The same mixture with its components read in the order ``permutation``."""
        return reordered(self, permutation)


@dataclass(frozen=True, slots=True)
class RatePrior:
    """The conjugate prior of rates, the same for every component: ``rates[k] ~ Gamma(shape, rate)``, worth ``shape`` events."""

    shape: float
    rate: float
    concentration: float = 1.0

    def __post_init__(self) -> None:
        for name in ("shape", "rate", "concentration"):
            object.__setattr__(self, name, positive_number(name, getattr(self, name)))

    @classmethod
    def weakly_informative(cls, data: Any) -> Self:
        """Gamma of shape 2 about the rate of all rows together, and one row more for each weight.

        Worth two events, so that nine in ten rates lie between a sixth of the overall one and two and a half times it; the mode
        empties no component and none is at a rate of 0.

        Raises
        ------
        TypeError
            if the data are no noun of the family, as `models.EventCounts`
        ValueError
            if no row has an event: there is no rate to be about
        """
        if not hasattr(data, "no_events"):
            raise TypeError(
                f"data is of type {type(data).__name__}; give the rows of the family, as models.EventCounts(events=...) or "
                "models.WaitingTimes(y=...)"
            )
        if data.rate == 0:
            raise ValueError(f"{data.no_events}, so there is no rate for a prior to be about; give a prior")
        return cls(shape=2.0, rate=2.0 / data.rate, concentration=2.0)

    def variables(self, n_components: int) -> list[Any]:
        """Add ``rates`` to the PyMC model on the context stack."""
        import pymc as pm

        shape, rate = pm.Data("prior_shape", self.shape), pm.Data("prior_rate", self.rate)
        return [pm.Gamma("rates", alpha=shape, beta=rate, dims="component", shape=(n_components,))]


def as_rows(noun: type[Any], name: str, data: Any, **further: ArrayLike | None) -> Any:
    """Data as they are, or of a first column and ``further`` arguments, which a noun has already; ValueError."""
    given = {argument: value for argument, value in further.items() if value is not None}
    if further and not isinstance(data, noun):
        return noun(data, **given)
    if given:
        *others, last = further
        raise ValueError(f"{name} has its {', '.join(others)} and {last}; leave the arguments of these names out")
    return data


def asked(
    name: str, data: Any, noun: type[Any], n_components: int, weights: Weights, prior: Any, kind: type[Any]
) -> MixtureWeights:
    """How weights are treated, once data and prior are seen to be of these kinds and to fit; TypeError, ValueError."""
    instance_of(name, data, noun)
    treated = MixtureWeights.of(weights, n_components)
    enough_rows(data.n, n_components)
    checked_labels(data.labels, n_components)
    if prior is not None:
        instance_of("prior", prior, kind)
    return treated


@dataclass(frozen=True, slots=True, eq=False)
class NaturalForm:
    """The log densities of a family as ``theta . phi``, for a fused likelihood.

    Attributes
    ----------
    natural : of the variables ``(..., K)``, the natural parameter of each column ``turn (observed - shift)`` of a row
    base : ``(n,)`` what log densities have beside, without parameters; nothing where None
    shift, turn : ``(D,)``, ``(D, D)``; columns are what was observed where None
    """

    natural: Callable[..., tuple[Any, ...]]
    base: Floats | None = None
    shift: Floats | None = None
    turn: Floats | None = None

    def log_density(self, observed: list[Any], base: Any, chances: Any, own: Any, counts: Any, labels: Any) -> Any:
        """Tensor ``(n,)`` of tensors ``(n,)`` that were observed."""
        import pytensor.tensor as pt

        natural = [pt.log(chances), *self.natural(*own)]
        if base is None:
            return fused_log_density(natural, counts, labels, observed, self.shift, self.turn)
        return fused_log_density([*natural, pt.ones_like(chances)], counts, labels, [*observed, base])


def elementwise_model(
    data: CountedRows,
    weights: MixtureWeights,
    concentration: float,
    variables: Callable[[], list[Any]],
    log_density: Callable[..., Any],
    drawn: Callable[..., Any],
    observed: str | None = None,
    fused: NaturalForm | None = None,
) -> pm.Model:
    """Build the PyMC model of such a mixture; data and prior numbers are `pymc.Data`, so that it serves other rows too.

    Parameters
    ----------
    data : its first column is observed, in which no other is
    weights, concentration : how weights are treated, and their prior
    variables : adds the other free variables, ``(K,)`` each, to the model on the context stack
    log_density : of the columns ``(n, 1)`` and the variables ``(K,)``, tensor ``(n, K)``
    drawn : of the other columns and the variables of each row's component ``(n,)``, then a random generator, ``(n,)``
    observed : what the observed variable is called, if not as the column
    fused : the same log density, of rows as they are seen, where it is to be one compiled pass
    """
    import pymc as pm

    seen, (first, *others) = data.seen(), data.names
    many = len(others)

    def logp(value: Any, *rest: Any) -> Any:
        import pytensor.tensor as pt

        chances, *own = rest[many:-2]
        if fused is not None:
            return fused.log_density([value, *rest[:many]], base, chances, own, *rest[-2:])
        density = log_density(*(column[..., None] for column in (value, *rest[:many])), *own)
        return mixture_log_density(pt.log(chances), density, *rest[-2:])

    def random(*rest: Any, rng: Any = None, size: Any = None) -> Floats:
        chances, *own = rest[many:-2]
        component = draw_components(chances, rest[-1], size, rng)
        chosen = (take_components(values, component, core=0) for values in own)
        return np.asarray(drawn(*map(np.asarray, rest[:many]), *chosen, rng), dtype=float)

    k = weights.n_components
    # Bounds need no checks: the transforms keep every value inside, and the graph compiles faster without.
    with pm.Model(coords={"component": range(k)}, check_bounds=False) as model:
        # PyMC holds whole numbers in 32 bits, which large counts leave without a word.
        rows = [pm.Data(f"observed_{first}", getattr(seen, first).astype(float))]
        rows += [pm.Data(name, getattr(seen, name).astype(float)) for name in others]
        base = None if fused is None or fused.base is None else pm.Data("log_base", fused.base)
        counts, known = pm.Data("counts", seen.counts.astype(float)), pm.Data("labels", np.array(seen.labels))
        chances = add_weights(weights, concentration, seen.labels)
        own = variables()
        inside = ["()"] * many + ["(k)"] * (1 + len(own)) + ["()", "()"]
        pm.CustomDist(
            observed or first,
            *rows[1:],
            chances,
            *own,
            counts,
            known,
            logp=logp,
            random=random,
            signature=f"{','.join(inside)}->()",
            dtype="float64",
            class_name="ElementwiseMixture",
            observed=rows[0],
        )
    return model
