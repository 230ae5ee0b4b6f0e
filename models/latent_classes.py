"""Latent classes: rows of items with two or more categories each, which are independent given a class that is not known.

    z_i ~ Categorical(w),    y_ij | z_i = k ~ Categorical(p_kj)    for every item j that row i has,

with ``p_kjc`` the probability that item ``j`` is in category ``c`` in class ``k``. Cells may be missing at random, and are left
out of the product. Source: Lazarsfeld & Henry (1968), Latent Structure Analysis; Goodman (1974), Biometrika 61, 215. Prior:
``w ~ Dirichlet(concentration)``, ``p_kj ~ Dirichlet(item_concentration)``.

What it does not do: covariates of the classes, items that depend on each other within a class.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.elementwise import CountedRows, ElementwiseParameters, asked
from models.inputs import (
    Floats,
    Integers,
    distinct_rows,
    finite_array,
    names_of,
    positive_number,
    read_only,
    row_labels,
    some_of,
    weight_vector,
)
from models.mixture_distribution import add_weights, draw_components, mixture_log_density, take_components
from models.mixtures import MixtureWeights, Weights

if TYPE_CHECKING:
    import pymc as pm

# Of a cell that is missing.
MISSING = -1


@dataclass(frozen=True, slots=True, init=False, eq=False, repr=False)
class ItemResponses(CountedRows):
    """Rows of items, each in one of its categories.

    Parameters
    ----------
    items : ``(n, J)`` categories as whole numbers from 0, -1 or NaN where missing; or a DataFrame of words or numbers, whose
        categories are those that occur, in order, or those of a categorical column
    counts : ``(n,)`` how many times such a row was seen; 1 each where left out
    labels : ``(n,)`` index of the class, -1 where not known; all unknown where left out
    item_names : of the J items; those of a DataFrame, else "1", "2", ...
    categories : of each item the names of its categories, in their order; read off the data where left out

    Raises
    ------
    TypeError, ValueError
        for what is no category, an item of one category alone, a row without any item or label, or names that do not fit
    """

    items: Integers
    counts: Integers
    labels: Integers
    item_names: tuple[str, ...]
    categories: tuple[tuple[str, ...], ...]

    def __init__(
        self,
        items: Any,
        counts: ArrayLike | None = None,
        labels: ArrayLike | None = None,
        item_names: Any = None,
        categories: Any = None,
    ) -> None:
        if names_of(items) is not None:
            item_names = tuple(map(str, names_of(items) or ())) if item_names is None else item_names
            items, found = _of_frame(items)
            categories = found if categories is None else categories
        codes = _whole(items)
        silent = np.flatnonzero((codes == MISSING).all(axis=1) & (row_labels(labels, len(codes)) < 0))
        if len(silent):
            raise ValueError(
                f"items has {len(silent)} rows without any item, the first row {silent[0]}; they tell nothing: leave them out"
            )
        names = tuple(str(j + 1) for j in range(codes.shape[1])) if item_names is None else tuple(item_names)
        if len(set(names)) < len(names) or len(names) != codes.shape[1]:
            raise ValueError(f"item_names are {some_of(names)} for {codes.shape[1]} items; give one name for each")
        if categories is None:
            categories = [[str(c) for c in range(largest + 1)] for largest in codes.max(axis=0)]
        told = tuple(tuple(map(str, each)) for each in categories)
        for j, (name, each) in enumerate(zip(names, told, strict=True)):
            if len(each) < 2:
                raise ValueError(f"item {name!r} has one category alone, so it tells nothing; leave it out")
            if codes[:, j].max() >= len(each):
                row = int(codes[:, j].argmax())
                raise ValueError(f"items[{row}, {j}] is {codes[row, j]} but item {name!r} has {len(each)} categories")
        self._hold(counts, labels, items=codes)
        object.__setattr__(self, "item_names", names)
        object.__setattr__(self, "categories", told)

    @property
    def names(self) -> list[str]:
        return list(self.item_names)

    @property
    def columns(self) -> Floats:
        return np.where(self.items == MISSING, np.nan, self.items)

    @property
    def observed(self) -> NDArray[np.bool_]:
        """``(n, J)`` which cells were seen."""
        return np.asarray(self.items != MISSING)

    @property
    def sizes(self) -> Integers:
        """``(J,)`` number of categories of each item."""
        return np.array([len(each) for each in self.categories])

    @property
    def cells(self) -> tuple[Integers, Integers]:
        """``(D,)`` item and category of each probability that there is, D of all items together."""
        return np.repeat(np.arange(len(self.sizes)), self.sizes), np.concatenate([np.arange(c) for c in self.sizes])

    @property
    def cell_names(self) -> list[str]:
        """``D`` names such as ``A=1``."""
        return [f"{name}={c}" for name, each in zip(self.names, self.categories, strict=True) for c in each]

    @property
    def indicators(self) -> Floats:
        """``(n, D)`` 1 where a row is in a category, else 0; all 0 of an item that is missing."""
        item, category = self.cells
        return np.asarray(self.items[:, item] == category, dtype=float)

    def with_rows(self, items: ArrayLike, counts: Any = None, labels: Any = None) -> ItemResponses:
        """Other rows of the same items."""
        return ItemResponses(items, counts, labels, self.item_names, self.categories)

    def taken(self, rows: Integers) -> ItemResponses:
        return self.with_rows(self.items[rows], self.counts[rows], self.labels[rows])

    def distinct(self) -> ItemResponses:
        seen = self.seen()
        unique, counts = distinct_rows(np.column_stack([seen.labels, seen.items]), seen.counts)
        return self.with_rows(unique[:, 1:], counts, unique[:, 0])


def _whole(items: Any) -> Integers:
    """``(n, J)`` categories as whole numbers, -1 where missing; TypeError, ValueError."""
    array = finite_array("items", items, (2,), missing=True)
    codes = np.where(np.isnan(array), MISSING, array)
    wrong = (codes != np.rint(codes)) | (codes < MISSING)
    if wrong.any():
        row, j = (int(i) for i in np.argwhere(wrong)[0])
        raise ValueError(
            f"items[{row}, {j}] is {array[row, j]:g}; categories are whole numbers from 0, and -1 where one is missing"
        )
    return read_only(codes.astype(np.int64))


def coded(
    columns: Sequence[Sequence[str | None]], known: Sequence[Sequence[str] | None]
) -> tuple[Integers, list[list[str]]]:
    """``(n, J)`` places of words among the categories of their columns, -1 where None, and these: as known, else in order."""
    levels = [
        sorted({w for w in words if w is not None}, key=as_read) if own is None else list(own)
        for words, own in zip(columns, known, strict=True)
    ]
    places = [{level: c for c, level in enumerate(each)} | {None: MISSING} for each in levels]
    codes = [[place[w] for w in words] for words, place in zip(columns, places, strict=True)]
    return np.array(codes, dtype=np.int64).T, levels


def _of_frame(frame: Any) -> tuple[Integers, list[list[str]]]:
    """What `coded` returns, of the columns of a DataFrame of pandas or polars."""
    columns: list[list[str | None]] = []
    known: list[list[str] | None] = []
    for name in names_of(frame) or ():
        column = frame[name]
        gone = np.asarray(column.isna() if hasattr(column, "isna") else column.is_null())
        columns.append([None if missing else word(value) for value, missing in zip(column, gone, strict=True)])
        levels = getattr(getattr(column, "cat", None), "categories", None)
        known.append(None if levels is None else [word(value) for value in levels])
    return coded(columns, known)


def word(value: Any) -> str:
    """A category in words, 1.0 as 1."""
    return str(int(value)) if isinstance(value, float | np.floating) and float(value).is_integer() else str(value)


def as_read(level: str) -> tuple[bool, float, str]:
    """Numbers by size, then words by letter."""
    try:
        return False, float(level), level
    except ValueError:
        return True, 0.0, level


@dataclass(frozen=True, slots=True, init=False, eq=False, repr=False)
class LatentClassParameters(ElementwiseParameters):
    """A mixture of latent classes.

    Parameters
    ----------
    weights : ``(K,)`` probability of each class, summing to 1
    item_probabilities : ``(K, J, C)`` probability of each category of each item in each class, C the most categories of any item;
        0 where an item has fewer. ``item_probabilities[1, 0, 1]`` is that of the first item's second category in the second class

    Raises
    ------
    ValueError
        if shapes differ, a value lies outside [0, 1], or probabilities do not sum to 1
    """

    weights: Floats
    item_probabilities: Floats

    def __init__(self, weights: ArrayLike, item_probabilities: ArrayLike) -> None:
        chances = weight_vector("weights", weights)
        p = finite_array("item_probabilities", item_probabilities, (3,))
        if len(p) != len(chances):
            raise ValueError(
                f"item_probabilities are of {len(p)} classes but weights of {len(chances)}; give as many of both"
            )
        for k, j in np.ndindex(p.shape[:2]):
            weight_vector(f"item_probabilities[{k}, {j}]", p[k, j])
        object.__setattr__(self, "weights", chances)
        object.__setattr__(self, "item_probabilities", p)

    @property
    def order_keys(self) -> Floats:
        """``(..., K, J + 1)`` what canonical order compares: of each item all but its first category, then the weight."""
        return np.concatenate([1 - self.item_probabilities[..., 0], self.weights[..., None]], axis=-1)

    @property
    def order_variances(self) -> Floats:
        """``(K, J)`` of the items, each as whether it is beyond its first category, for each root of a row of the class."""
        p = self.order_keys[:, :-1]
        return p * (1 - p) / np.maximum(self.weights, np.finfo(float).tiny)[:, None]

    def simulate(self, components: Integers, random: np.random.Generator) -> Integers:
        """Draw rows of these classes ``(n,)``, counted from 0: ``(n, J)`` categories."""
        upto = np.cumsum(self.item_probabilities, axis=-1)
        upto /= upto[..., -1:]
        return np.asarray((random.random((len(components), upto.shape[1], 1)) >= upto[components]).sum(axis=-1))


@dataclass(frozen=True, slots=True)
class LatentClassPrior:
    """The conjugate prior of a mixture of latent classes; the same for every class and item.

    Parameters
    ----------
    item_concentration : ``item_probabilities[k, j] ~ Dirichlet(item_concentration, ...)``: at the mode worth one row less than
        that in each category. 1, the default, is uniform.
    concentration : ``weights ~ Dirichlet(concentration, ...)``. 1, the default, is uniform.
    sizes : numbers of categories of the items, without which nothing can be drawn from it; those of the data where left out

    Raises
    ------
    ValueError
        if a number is not positive: the prior would not be proper
    """

    item_concentration: float = 1.0
    concentration: float = 1.0
    sizes: tuple[int, ...] | None = field(default=None, metadata={"derived": True})

    def __post_init__(self) -> None:
        for name in ("item_concentration", "concentration"):
            object.__setattr__(self, name, positive_number(name, getattr(self, name)))

    @classmethod
    def weakly_informative(cls) -> LatentClassPrior:
        """Half a row more in each category and one for each weight, so that the mode is at no bound."""
        return cls(item_concentration=1.5, concentration=2.0)

    def of(self, items: ItemResponses) -> LatentClassPrior:
        """The prior of these items; ValueError where its own have other numbers of categories."""
        sizes = tuple(items.sizes.tolist())
        if self.sizes is not None and tuple(self.sizes) != sizes:
            raise ValueError(f"prior.sizes is {self.sizes} but the items have {sizes} categories; leave it out")
        return replace(self, sizes=sizes)

    def variables(self, items: ItemResponses, n_components: int) -> Any:
        """Add item probabilities to the PyMC model on the context stack, and return them side by side: ``(K, D)``."""
        import pymc as pm
        import pytensor.tensor as pt

        item, category = items.cells
        alike, parts, places = np.unique(items.sizes), [], []
        for size in alike:
            of = np.flatnonzero(items.sizes == size)
            name, end = ("item_probabilities", "") if len(alike) == 1 else (f"item_probabilities_{size}", f"_{size}")
            shape = (n_components, len(of), int(size))
            a = pm.Data(f"prior_item_concentration{end}", np.full(shape, self.item_concentration))
            dims = ("component", f"item{end}", f"category{end}")
            parts.append(pm.Dirichlet(name, a=a, shape=shape, dims=dims).reshape((n_components, -1)))
            places.append(np.flatnonzero(np.isin(item, of)))
        side_by_side = pt.concatenate(parts, axis=-1)[:, np.argsort(np.concatenate(places))]
        if len(alike) > 1:
            whole = pt.zeros((n_components, len(items.sizes), int(alike[-1])))
            whole = pt.set_subtensor(whole[:, item, category], side_by_side)
            pm.Deterministic("item_probabilities", whole, dims=("component", "item", "category"))
        return side_by_side


def latent_class_mixture(
    items: ItemResponses | Any,
    n_components: int = 2,
    weights: Weights = "free",
    prior: LatentClassPrior | None = None,
) -> pm.Model:
    """Build the PyMC model of latent classes.

    Parameters
    ----------
    items : `ItemResponses`, or what these are made of; many equal rows cost less as ``items.distinct()``
    n_components : K
    weights : ``"free"``, ``"equal"``, or ``(K,)`` values held fixed
    prior : `LatentClassPrior.weakly_informative` where None

    Returns
    -------
    pymc.Model
        Free variables ``item_probabilities``, of dims ``component``, ``item`` and ``category``, and, unless held, ``weights``.
        Where items differ in their numbers of categories there is one for each number, such as ``item_probabilities_3``, and
        ``item_probabilities`` is computed from them. Observed ``items``, -1 where missing. Its posterior is symmetric in
        exchangeable classes: see `models.canonical_order`.

    Raises
    ------
    TypeError, ValueError
        for rows fewer than classes, or weights or labels that do not fit
    """
    import pymc as pm

    items = items if isinstance(items, ItemResponses) else ItemResponses(items)
    treated: MixtureWeights = asked("items", items, ItemResponses, n_components, weights, prior, LatentClassPrior)
    prior = (LatentClassPrior.weakly_informative() if prior is None else prior).of(items)
    data, (item, category), ends = items.seen(), items.cells, np.cumsum(items.sizes)[:-1]

    def logp(rows: Any, chances: Any, own: Any, counts: Any, labels: Any, _: Any) -> Any:
        import pytensor.tensor as pt

        indicators = pt.eq(rows[..., item], category).astype("float64")
        densities = pt.dot(indicators, pt.log(own.reshape((n_components, len(item)))).T)
        return mixture_log_density(pt.log(chances), densities, counts, labels)

    def random(chances: Any, own: Any, _: Any, labels: Any, seen: Any, rng: Any = None, size: Any = None) -> Floats:
        component = draw_components(chances, labels, size, rng)
        p = take_components(own, component, core=1)
        drawn = [
            (rng.random((*component.shape, 1)) >= np.cumsum(each, axis=-1)[..., :-1]).sum(axis=-1)
            for each in np.split(p, ends, axis=-1)
        ]
        return np.where(np.asarray(seen) > 0, np.stack(drawn, axis=-1), MISSING).astype(float)

    dims: dict[str, Any] = {"component": range(n_components)}
    for size in np.unique(data.sizes):
        end = "" if len(np.unique(data.sizes)) == 1 else f"_{size}"
        dims |= {f"item{end}": [n for n, c in zip(data.names, data.sizes, strict=True) if c == size]}
        dims |= {f"category{end}": range(size)}
    dims |= {"item": data.names, "category": range(int(data.sizes.max()))}
    with pm.Model(coords=dims, check_bounds=False) as model:
        rows = pm.Data("observed_items", data.items.astype(float))
        seen = pm.Data("seen", data.observed.astype(float))
        counts, known = pm.Data("counts", data.counts.astype(float)), pm.Data("labels", np.array(data.labels))
        chances = add_weights(treated, prior.concentration, data.labels)
        own = prior.variables(data, n_components)
        pm.CustomDist(
            "items",
            chances,
            own,
            counts,
            known,
            seen,
            logp=logp,
            random=random,
            signature="(k),(k,d),(),(),(j)->(j)",
            dtype="float64",
            class_name="LatentClasses",
            observed=rows,
        )
    return model
