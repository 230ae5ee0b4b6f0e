"""A family of one's own: densities by SciPy's and PyMC's names, priors of its parameters, and an M-step where there is one.

    exponentials = Family(
        "exponentials",
        data="y",
        parameters={"rates": Positive(prior=Gamma(2, 1))},
        scipy=lambda rates: stats.expon(scale=1 / rates),
        pymc=lambda rates: pm.Exponential.dist(lam=rates),
        m_step=lambda y, r, prior: {"rates": (r.sum(0) + prior.alpha - 1) / (r.T @ y + prior.beta)},
    )

Parameters are numbers, one of each a component, and rows are numbers of one column.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, make_dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np
from numpy.typing import ArrayLike

from models.display import displayed
from models.inputs import (
    Floats,
    Integers,
    distinct_rows,
    finite_array,
    one_each,
    positive_number,
    reordered,
    row_counts,
    row_labels,
    weight_vector,
)
from models.mixture_distribution import add_weights, draw_components, mixture_log_density, take_components
from models.mixtures import MixtureWeights, Weights, checked_labels, enough_rows

if TYPE_CHECKING:
    import pymc as pm


class ParameterPrior(Protocol):
    """The prior of one parameter, the same for every component."""

    def scipy(self) -> Any:
        """As a frozen distribution of `scipy.stats`."""

    def pymc(self, name: str, data: Callable[[str, float], Any], **shape: Any) -> Any:
        """As a free variable of the PyMC model on the context stack, its numbers made by ``data``."""

    def flat(self) -> Any:
        """Numbers of the same names with which a conjugate mode is the maximum of the likelihood."""


@dataclass(frozen=True, slots=True)
class Gamma:
    """Of a positive number: density proportional to ``x^(alpha - 1) exp(-beta x)``."""

    alpha: float
    beta: float

    def __post_init__(self) -> None:
        positive_number("alpha", self.alpha)
        positive_number("beta", self.beta)

    def scipy(self) -> Any:
        """See `ParameterPrior`."""
        from scipy import stats

        return stats.gamma(self.alpha, scale=1 / self.beta)

    def pymc(self, name: str, data: Callable[[str, float], Any], **shape: Any) -> Any:
        """See `ParameterPrior`."""
        import pymc as pm

        return pm.Gamma(name, alpha=data("alpha", self.alpha), beta=data("beta", self.beta), **shape)

    def flat(self) -> Any:
        """See `ParameterPrior`."""
        return _Flat(alpha=1.0, beta=0.0)


@dataclass(frozen=True, slots=True)
class Beta:
    """Of a probability: density proportional to ``x^(alpha - 1) (1 - x)^(beta - 1)``."""

    alpha: float
    beta: float

    def __post_init__(self) -> None:
        positive_number("alpha", self.alpha)
        positive_number("beta", self.beta)

    def scipy(self) -> Any:
        """See `ParameterPrior`."""
        from scipy import stats

        return stats.beta(self.alpha, self.beta)

    def pymc(self, name: str, data: Callable[[str, float], Any], **shape: Any) -> Any:
        """See `ParameterPrior`."""
        import pymc as pm

        return pm.Beta(name, alpha=data("alpha", self.alpha), beta=data("beta", self.beta), **shape)

    def flat(self) -> Any:
        """See `ParameterPrior`."""
        return _Flat(alpha=1.0, beta=1.0)


@dataclass(frozen=True, slots=True)
class Normal:
    """Of any number."""

    mean: float
    sd: float

    def __post_init__(self) -> None:
        positive_number("sd", self.sd)

    def scipy(self) -> Any:
        """See `ParameterPrior`."""
        from scipy import stats

        return stats.norm(self.mean, self.sd)

    def pymc(self, name: str, data: Callable[[str, float], Any], **shape: Any) -> Any:
        """See `ParameterPrior`."""
        import pymc as pm

        return pm.Normal(name, mu=data("mean", self.mean), sigma=data("sd", self.sd), **shape)

    def flat(self) -> Any:
        """See `ParameterPrior`."""
        return _Flat(mean=self.mean, sd=np.inf)


class _Flat:
    """Numbers by name of a prior that is none."""

    def __init__(self, **numbers: float) -> None:
        vars(self).update(numbers)


@dataclass(frozen=True, slots=True)
class Positive:
    """A number above 0."""

    prior: Gamma
    scale: ClassVar[str] = "log"


@dataclass(frozen=True, slots=True)
class Probability:
    """A number between 0 and 1."""

    prior: Beta
    scale: ClassVar[str] = "logit"


@dataclass(frozen=True, slots=True)
class Real:
    """Any number."""

    prior: Normal
    scale: ClassVar[str] = "identity"


type Parameter = Positive | Probability | Real


@dataclass(frozen=True, slots=True, init=False, eq=False)
class Rows:
    """Numbers of one column.

    Parameters
    ----------
    y : ``(n,)``
    counts : ``(n,)`` how many times each row was seen; 1 each where left out
    labels : ``(n,)`` index of the component, -1 where not known; all unknown where left out
    """

    y: Floats
    counts: Integers
    labels: Integers

    def __init__(self, y: ArrayLike, counts: ArrayLike | None = None, labels: ArrayLike | None = None) -> None:
        numbers = finite_array("y", y, (1,))
        object.__setattr__(self, "y", numbers)
        object.__setattr__(self, "counts", row_counts(counts, len(numbers)))
        object.__setattr__(self, "labels", row_labels(labels, len(numbers)))

    __repr__ = displayed

    @property
    def n(self) -> int:
        """Number of rows, each counted as often as it was seen."""
        return int(self.counts.sum())

    def seen(self) -> Rows:
        """The same data without the rows that were counted 0 times, which are not there."""
        kept = self.counts > 0
        return Rows(self.y[kept], self.counts[kept], self.labels[kept])

    def distinct(self) -> Rows:
        """The same data as sorted distinct (label, y) with their counts: what row order cannot change."""
        seen = self.seen()
        unique, counts = distinct_rows(np.column_stack([seen.labels, seen.y]), seen.counts)
        return Rows(unique[:, 1], counts, unique[:, 0].astype(np.int64))


class FamilyParameters:
    """Parameters of a mixture: ``weights`` ``(K,)`` and one array ``(K,)`` for each parameter of the family."""

    weights: Floats
    family: ClassVar[Family]

    @property
    def n_components(self) -> int:
        """Number of components."""
        return len(self.weights)

    @property
    def order_keys(self) -> Floats:
        """``(..., K, 2)`` what canonical order compares: the first parameter, then the weight."""
        return np.stack([self._own()[0], self.weights], axis=-1)

    def _own(self) -> list[Floats]:
        return [getattr(self, each.name) for each in fields(self) if each.name != "weights"]  # type: ignore[arg-type]

    def permuted(self, permutation: ArrayLike) -> Any:
        """The same mixture with its components read in the order ``permutation``."""
        return reordered(self, permutation)


@dataclass(frozen=True, slots=True)
class FamilyPrior:
    """Priors of the parameters by name, and of the weights.

    Attributes
    ----------
    parameters : by name
    concentration : ``weights ~ Dirichlet(concentration, ..., concentration)``
    """

    parameters: Mapping[str, Any]
    concentration: float = 1.0


@dataclass(frozen=True, eq=False)
class Family:
    """A family of one's own; see the example at the top of `models.family`.

    Attributes
    ----------
    name : as reports tell it
    data : what a row is called
    parameters : by name, one number of each a component, with its domain and prior
    scipy : of the parameters by name, a frozen distribution of `scipy.stats`; called with arrays, so it has to broadcast
    pymc : of the parameters by name, a distribution of PyMC without a name, as by ``.dist``
    m_step : of ``y`` ``(n,)``, expected counts ``r`` ``(n, K)`` and the prior (that of the parameter where there is one, else by
        name), the parameters by name ``(K,)``; without a prior its numbers are those that leave the likelihood alone. Maximised
        numerically where left out.

    Raises
    ------
    TypeError, ValueError
        for a family without parameters, or one that is none
    """

    name: str
    data: str
    parameters: Mapping[str, Parameter]
    scipy: Callable[..., Any]
    pymc: Callable[..., Any]
    m_step: Callable[..., Mapping[str, ArrayLike]] | None = None
    kind: type[Any] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not self.parameters:
            raise ValueError(f"parameters of {self.name} is empty; give one at least")
        for name, parameter in self.parameters.items():
            if not isinstance(parameter, Positive | Probability | Real):
                raise TypeError(
                    f"parameters[{name!r}] is {parameter!r}; give models.family.Positive, Probability or Real with a prior"
                )
        own = [(name, Any) for name in ("weights", *self.parameters)]
        object.__setattr__(
            self,
            "kind",
            make_dataclass(
                "Parameters",
                own,
                bases=(FamilyParameters,),
                frozen=True,
                eq=False,
                namespace={"__post_init__": _checked, "family": self},
            ),
        )

    @property
    def prior(self) -> FamilyPrior:
        """The priors that were declared, and one row more for each weight."""
        return FamilyPrior({name: each.prior for name, each in self.parameters.items()}, 2.0)


def _checked(self: Any) -> None:
    weights = weight_vector("weights", self.weights)
    object.__setattr__(self, "weights", weights)
    for each in fields(self):
        if each.name != "weights":
            object.__setattr__(self, each.name, one_each(each.name, getattr(self, each.name), weights))


def family_mixture(
    family: Family, rows: Rows, n_components: int = 2, weights: Weights = "free", prior: FamilyPrior | None = None
) -> pm.Model:
    """Build the PyMC model of a mixture of one's own family.

    Parameters
    ----------
    family, rows : what the components are, and the data
    n_components : K
    weights : ``"free"``, ``"equal"``, or ``(K,)`` values held fixed
    prior : the family's own where None

    Returns
    -------
    pymc.Model
        Free variables by the names of the family's parameters and, unless held, ``weights``, all with the dim ``component``;
        observed as the family calls its data.

    Raises
    ------
    ValueError
        for rows fewer than components, or weights or labels that do not fit
    """
    import pymc as pm

    treated = MixtureWeights.of(weights, n_components)
    enough_rows(rows.n, n_components)
    checked_labels(rows.labels, n_components)
    prior = family.prior if prior is None else prior
    data, names = rows.seen(), tuple(family.parameters)

    def logp(y: Any, weights: Any, *rest: Any) -> Any:
        import pytensor.tensor as pt

        *own, counts, labels = rest
        density = pm.logp(family.pymc(**dict(zip(names, own, strict=True))), y[..., None])
        return mixture_log_density(pt.log(weights), density, counts, labels)

    def random(weights: Any, *rest: Any, rng: Any = None, size: Any = None) -> Any:
        *own, _, labels = rest
        component = draw_components(weights, labels, size, rng)
        chosen = {name: take_components(v, component, core=0) for name, v in zip(names, own, strict=True)}
        return np.asarray(family.scipy(**chosen).rvs(random_state=rng), dtype=float)

    with pm.Model(coords={"component": range(n_components)}, check_bounds=False) as model:
        observed = pm.Data("observed_y", np.array(data.y))
        counts = pm.Data("counts", data.counts.astype(float))
        known = pm.Data("labels", np.array(data.labels))
        w = add_weights(treated, prior.concentration, data.labels)
        own = [
            prior.parameters[name].pymc(
                name, lambda n, v, of=name: pm.Data(f"prior_{of}_{n}", v), dims="component", shape=(n_components,)
            )
            for name in names
        ]
        inside = ",".join(["(k)"] * (1 + len(names)))
        pm.CustomDist(
            family.data,
            w,
            *own,
            counts,
            known,
            logp=logp,
            random=random,
            signature=f"{inside},(),()->()",
            dtype="float64",
            class_name="FamilyMixture",
            observed=observed,
        )
    return model
