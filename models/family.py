"""A family of one's own: densities by SciPy's and PyMC's names, priors of its parameters, and an M-step where there is one.

    lifetimes = Family(
        "lifetimes",
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

from models.elementwise import CountedRows, ElementwiseParameters, asked, elementwise_model
from models.inputs import Floats, Integers, finite_array, positive_number
from models.mixtures import Weights

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


@dataclass(frozen=True, slots=True, init=False, eq=False, repr=False)
class Rows(CountedRows):
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
        self._hold(counts, labels, y=finite_array("y", y, (1,)))


class FamilyParameters(ElementwiseParameters):
    """Parameters of a mixture: ``weights`` ``(K,)`` and one array ``(K,)`` for each parameter of the family."""

    family: ClassVar[Family]


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
    self._hold(**{each.name: getattr(self, each.name) for each in fields(self)})


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
    treated = asked("rows", rows, Rows, n_components, weights, prior, FamilyPrior)
    prior, names = family.prior if prior is None else prior, tuple(family.parameters)

    def variables() -> list[Any]:
        import pymc as pm

        return [
            prior.parameters[name].pymc(
                name, lambda n, v, of=name: pm.Data(f"prior_{of}_{n}", v), dims="component", shape=(n_components,)
            )
            for name in names
        ]

    def log_density(y: Any, *own: Any) -> Any:
        return _log_density(family, y, dict(zip(names, own, strict=True)))

    def drawn(*own: Any) -> Any:
        *values, random = own
        frozen = family.scipy(**dict(zip(names, values, strict=True)))
        return frozen.rvs(size=np.broadcast_shapes(*map(np.shape, values)), random_state=random)

    return elementwise_model(rows, treated, prior.concentration, variables, log_density, drawn, family.data)


def log_densities_by_pymc(family: Family, y: ArrayLike, parameters: Mapping[str, Any]) -> Floats:
    """Log density ``(n, m)`` of rows ``(n,)``, as PyMC has it, at parameters by name ``(m,)`` each."""
    return _evaluated(_log_density(family, np.array(y)[:, None], {name: np.array(v) for name, v in parameters.items()}))


def _log_density(family: Family, y: Any, parameters: Mapping[str, Any]) -> Any:
    """Tensor ``(n, K)`` of rows ``(n, 1)`` at parameters ``(K,)``, which have a leading axis of length 1 in a model."""
    import pymc as pm

    # The density of some of PyMC's distributions has the shape of their parameters and no other, unless rows have an axis more.
    return pm.logp(family.pymc(**{name: v.reshape((v.shape[-1],)) for name, v in parameters.items()}), y)


def log_prior_by_pymc(prior: ParameterPrior, values: Floats) -> Floats:
    """Log density ``(m,)`` of the prior of one parameter, as PyMC has it, at its values ``(m,)``."""
    import pymc as pm

    with pm.Model():
        variable = prior.pymc("values", lambda name, number: pm.Data(name, number), shape=values.shape)
        return _evaluated(pm.logp(variable, values))


def _evaluated(tensor: Any) -> Floats:
    """Operation by operation, which takes a tenth of a second where to compile takes half a minute."""
    import pytensor

    with pytensor.config.change_flags(cxx=""):
        return np.asarray(tensor.eval(mode="FAST_COMPILE"), dtype=float)
