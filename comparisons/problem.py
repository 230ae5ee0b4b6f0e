"""The core: all that posterior, checks, summary and model_fit see of any model, mixture or not.

A problem is one declaration that both engines fit. `Problem` says what is asked of it, in named arrays and in the vector of
EM's parameters. What a model may be without is an attribute that is None then, and what needs it says so in its result.
`comparisons.families.mixtures` answers for every family of mixtures.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from comparisons.capabilities import Margin, Parameters, Simulation, Third, Unconstrained
from comparisons.declaration import Declaration
from comparisons.results.result import DoubtFound, Model
from em import Interval
from em.mixture import Scale
from em.uncertainty.curvature import Curvature
from models.inputs import Floats, Integers

if TYPE_CHECKING:
    import pymc as pm
    import xarray as xr

type Prior = Any
# What EM returns: an `em.Fit`, or what has its parameters, log_likelihood, log_posterior, trace, path, iterations, status,
# standard_errors, modes and rate.
type Fit = Any


class Problem(ABC):
    """One problem as both engines see it: the same declaration fitted by EM and built, maximised and sampled by PyMC.

    Quantities go by their names in a comparison, arrays by PyMC's names, the full vector by `names`.

    """

    __slots__ = ()

    # The declaration

    @property
    @abstractmethod
    def comparison(self) -> Declaration:
        """What is asked of which data."""

    @property
    @abstractmethod
    def prior(self) -> Prior:
        """Numbers: what `fit` takes for the posterior mode."""

    @property
    @abstractmethod
    def n(self) -> int:
        """Rows of the data."""

    @property
    @abstractmethod
    def structure(self) -> tuple[Any, ...]:
        """What decides the PyMC graph: two problems that agree in it share one machine code."""

    @abstractmethod
    def in_words(self) -> Model:
        """What both engines are asked to fit."""

    @abstractmethod
    def observed(self) -> dict[str, list[Any]]:
        """The data as fitted, column by column."""

    # EM's side

    @abstractmethod
    def fit(self, prior: Prior | None, start: Parameters | None = None, seed: int = 0, *, path: bool = False) -> Fit:
        """Fit by EM: maximum likelihood, or the posterior mode under a prior; in plain steps where the path matters.

        A ``start`` keeps its labelling; else components are in the problem's order.
        """

    @abstractmethod
    def log_likelihood(self, parameters: Parameters) -> float:
        """As EM has it, in nats."""

    @abstractmethod
    def log_prior(self, parameters: Parameters) -> float:
        """As EM has it, on the natural scale, in nats."""

    def sampled(self, rows: int, random: np.random.Generator) -> Self:
        """The same problem of so many rows, drawn at random where it has more to look at; itself where it has not."""
        return self

    def heights(self) -> Callable[[Parameters], float]:
        """The log-likelihood as a function of parameters, for a figure of thousands of points."""
        return self.log_likelihood

    @property
    def one_density(self) -> str:
        """What cannot be found out where EM has the program's own density, a sentence; empty where the two were written apart."""
        return ""

    @property
    def constants(self) -> tuple[float, float]:
        """What log-likelihood and log prior count for constants of the data that EM's own functions leave out, in nats."""
        return 0.0, 0.0

    def row_log_likelihoods(self, parameters: Parameters) -> Floats:
        """``(n,)`` of distinct rows where these are independent, else of all of them together."""
        return np.array([self.log_likelihood(parameters)])

    @property
    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """``p`` names of EM's full vector."""

    @property
    @abstractmethod
    def n_free(self) -> int:
        """Directions in which the full vector may move."""

    @abstractmethod
    def entries(self, values: Any) -> Floats:
        """The full vector ``(p,)`` of parameters or of their standard errors, each number once."""

    @abstractmethod
    def curvature(self, prior: Prior | None, parameters: Parameters) -> Curvature | None:
        """Second-order picture of the objective, ``basis`` alone in the user's units; None where no point is at rest."""

    @abstractmethod
    def profile_interval(self, fit: Fit, name: str, probability: float) -> Interval:
        """Profile-likelihood interval of a quantity; its ``reason`` says where there is none."""

    def made_by_chance(self, parameters: Parameters, gain: float) -> bool:
        """Whether rows that lie together by chance may make so much more likelihood, in nats, at such parameters."""
        return False

    def doubts(self, fit: Fit) -> list[DoubtFound]:
        """Grounds on which to doubt a maximum."""
        return []

    # PyMC's side

    @abstractmethod
    def model(self) -> pm.Model:
        """The PyMC model of the same data, options and prior."""

    def of_some_rows(self, random: np.random.Generator) -> tuple[pm.Model, pm.Model] | None:
        """Models of some rows, by PyMC's own distributions and with the likelihood that is sampled; None where that is theirs."""
        return None

    @abstractmethod
    def from_pymc(self, values: dict[str, Any]) -> Parameters:
        """Parameters from PyMC's values by name, all at one point."""

    @abstractmethod
    def to_pymc(self, parameters: Parameters) -> dict[str, Floats]:
        """Values of PyMC's free variables by name."""

    @abstractmethod
    def free_numbers(self, natural: dict[str, Floats]) -> Floats:
        """Each number that the declaration leaves free once: what the densities are densities over."""

    @abstractmethod
    def interior(self, parameters: Parameters) -> bool:
        """Whether no parameter is at a bound that is infinitely far on PyMC's unconstrained scale."""

    @abstractmethod
    def refuse_others(self, parameters: Parameters) -> None:
        """See that parameters are some of the declared model; ValueError."""

    @abstractmethod
    def random_parameters(self, random: np.random.Generator) -> Parameters:
        """Parameters anywhere near the data, in no order and of no fit: where two densities are compared."""

    # Components that can be exchanged, where there are any

    @property
    def ordered(self) -> bool:
        """Whether components that can change places are put into an order."""
        return False

    def ordered_by(self, point: Parameters) -> Self:
        """The same problem with components in the order that separates those of a point."""
        return self

    def sampled_near(self, *points: Parameters) -> Self:
        """The same problem with a likelihood of PyMC's model that is exact enough about these points."""
        return self

    def relabelled(self, fit: Fit) -> Fit:
        """The fit and each of its modes with components in the problem's order."""
        return fit

    def in_order(self, parameters: Parameters) -> Parameters:
        """Parameters with components in the problem's order."""
        return parameters

    def exchangeable(self, model: pm.Model) -> Integers:
        """Groups of components that the model cannot tell apart."""
        return np.zeros(0, dtype=np.int64)

    def draws_in_order(self, tree: xr.DataTree, groups: Integers) -> xr.Dataset:
        """Draws as sampled, with components of one group in the problem's order."""
        drawn: xr.Dataset = tree["posterior"].to_dataset()
        return drawn

    @property
    def coordinates(self) -> dict[str, list[str]]:
        """Names along the dimensions of the draws."""
        return {}

    # Quantities

    @abstractmethod
    def arrays(self, parameters: Parameters) -> dict[str, Floats]:
        """Parameters as arrays, those of many along their leading axes."""

    @abstractmethod
    def arrays_of_draws(self, posterior: xr.Dataset) -> dict[str, Floats]:
        """Draws ``(chains, draws, ...)`` as arrays."""

    @abstractmethod
    def of_arrays(self, arrays: dict[str, Floats]) -> Parameters:
        """Parameters with these arrays, unchecked and along any leading axes: of all draws at once."""

    @abstractmethod
    def quantities(self, arrays: dict[str, Any]) -> dict[str, Any]:
        """Every quantity by name, in the order of the table."""

    @abstractmethod
    def gradients(self, parameters: Parameters) -> dict[str, Floats]:
        """Gradient ``(p,)`` of every quantity by the full vector."""

    @abstractmethod
    def of_fit(self, fit: Fit) -> dict[str, tuple[float, float]]:
        """Estimate and standard error of every quantity, read off a fit by another way than the table's."""

    @abstractmethod
    def scale(self, name: str) -> Scale:
        """On which scale the quantity has no bounds, so that a Wald interval stays inside them."""

    @abstractmethod
    def prior_draws(self, groups: Integers, n: int, random: np.random.Generator) -> dict[str, Floats] | None:
        """``n`` draws from the prior as arrays, components in order; None where there are none to be had."""

    def prior_is_flat(self) -> bool:
        """Whether the prior density is the same everywhere."""
        return False

    # What a model may be without

    @property
    def unconstrained(self) -> Unconstrained | None:
        """The posterior in coordinates without bounds, for the second route and Stein's identities."""
        return None

    @property
    def third(self) -> Third | None:
        """What judges both engines."""
        return None

    @property
    def simulation(self) -> Simulation | None:
        """Data like these."""
        return None

    def exact(self, thresholds: dict[str, list[float]]) -> Any:
        """The posterior by quadrature, a `comparisons.families.exact.ExactPosterior`; None where it is not to be had."""
        return None

    def structurally_unidentified(self) -> str | None:
        """Why no data of this design tell the parameters apart; None where they may, or no rule is known."""
        return None

    def identifiability(self) -> str:
        """What a design like this is known to tell apart, a sentence; empty where nothing is known."""
        return ""

    def margins(self) -> list[Margin]:
        """Every observed variable by itself, to be drawn."""
        return []

    def surface(self) -> tuple[str, str] | None:
        """Two quantities over which the log-likelihood is drawn."""
        return None

    def varied(self, parameters: Parameters, changed: dict[str, float]) -> Parameters:
        """The parameters with quantities of the surface set to new values, by name."""
        raise NotImplementedError("a model with a surface says how its quantities are set")


def em_densities(problem: Problem, parameters: Parameters) -> tuple[float, float]:
    """Log-likelihood and log prior as EM has them."""
    return problem.log_likelihood(parameters), problem.log_prior(parameters)
