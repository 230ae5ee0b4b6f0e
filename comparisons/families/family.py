"""What a comparison has to know of one family of mixtures, and what a family is asked about."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

import em
from comparisons.capabilities import Data, Distribution, Margin, Parameters
from comparisons.declaration import Comparison
from comparisons.declared_rows import DeclaredRows
from comparisons.families.columns import FromColumns
from comparisons.problem import Prior
from comparisons.quantity_names import variable_and_labels
from comparisons.results.report_data import Distance, QuantilePlot
from em.ascent.acceleration import Acceleration
from em.mixture import Scale, trusted
from models.inputs import Floats, Integers
from models.mixture_distribution import Likelihood
from models.mixtures import MixtureWeights
from models.order import FIRST, Order

if TYPE_CHECKING:
    import pymc as pm


# Distinct rows from which a fused likelihood is sampled: there a gradient takes a fifth to a tenth of the time (``python -m
# benchmarks.fused``), and a run of a minute is worth the check that it is PyMC's own.
FUSED_ROWS = 5_000


@dataclass(frozen=True, slots=True, eq=False)
class Setup:
    """What a family is asked about: a declaration with its rows and its prior.

    Attributes
    ----------
    family : of the mixture
    comparison : the declaration, its features named
    data : distinct rows, counted
    prior : numbers, whether they were declared or made from the data
    declared : every row as it was declared, which only what judges the engines reads
    order : of exchangeable components, held for the whole run
    fused_from : of so many distinct rows on the likelihood that is sampled is a fused one, where the family has one
    """

    family: Family
    comparison: Comparison
    data: Data
    prior: Prior
    declared: DeclaredRows
    order: Order = FIRST
    fused_from: float = FUSED_ROWS

    @property
    def likelihood(self) -> Likelihood:
        """Which likelihood PyMC's model has."""
        return "fused" if len(self.data.counts) >= self.fused_from and self.family.fusable(self) else "pymc"

    @property
    def weights(self) -> MixtureWeights:
        """How the weights are treated."""
        return MixtureWeights.of(self.comparison.weights, self.comparison.n_components)


class Family(FromColumns):
    """What a comparison has to know of one family of mixtures.

    What has a body here is right for families each of whose parameters is one number a component. Quantities go by
    their names in a comparison, arrays by PyMC's names with the component along their axis ``K``.

    Attributes
    ----------
    data, parameters, prior : the nouns of `models`
    variables : PyMC's names of the parameters, as the fields of ``parameters`` have them, weights left out
    prior_numbers : the fields of ``prior`` but for ``concentration``
    scales : of the variables and of what is computed from them, the scale on which it has no bounds
    average : what the first variable averaged over the mixture is called: it has no labels, and is identified where the
        components are not; none where empty
    also_called : other words for the family, for a hint to those who ask for one of these
    ordered_by : what components are ordered by where there are no features, in words
    options : what a declaration may set beside components, weights and prior
    default_reason : a sentence that defends the default prior
    m_step_told : how EM's M-step is made, in words
    acceleration : of EM, where it is not its path that is asked for; "newton" where an M-step costs more than the information
    """

    data: type[Any]
    parameters: type[Any]
    prior: type[Any]
    variables: tuple[str, ...]
    prior_numbers: tuple[str, ...]
    scales: ClassVar[dict[str, Scale]]
    average: str = ""
    also_called: tuple[str, ...] = ()
    ordered_by: str = ""
    options: tuple[str, ...] = ()
    default_reason: str = ""
    m_step_told: str = "closed form"
    acceleration: Acceleration = "squarem"

    # The declaration and its data

    def variant(self, noun: Any) -> Family:
        """The family as data, parameters or a prior have it: itself, or a richer form that goes by the same name."""
        return self

    @abstractmethod
    def fitting(self, comparison: Comparison, data: Data) -> Comparison:
        """Return the declaration, its features named, or refuse what does not fit; TypeError, ValueError."""

    @abstractmethod
    def default_prior(self, data: Data, n_components: int) -> Prior:
        """Where the declaration has none."""

    def prior_note(self, n_components: int) -> str:
        """What the default prior is for other numbers of components than the declared one."""
        return "The same for every K."

    @abstractmethod
    def columns(self, data: Data) -> Floats:
        """``(n, c)`` all that was observed, as plain columns."""

    def declared(self, data: Data) -> DeclaredRows:
        """The rows as they stand."""
        return DeclaredRows.from_arrays(self.columns(data), data.counts, data.labels)

    @abstractmethod
    def column_names(self, problem: Setup) -> list[str]:
        """``c`` names of them."""

    @abstractmethod
    def with_columns(self, data: Data, columns: Floats, counts: Any, labels: Any) -> Data:
        """Data of the same kind with other columns."""

    @abstractmethod
    def row(self, problem: Setup, i: int) -> str:
        """What was observed in a row, in words."""

    # Both engines

    def structure(self, problem: Setup) -> tuple[Any, ...]:
        """What decides the PyMC graph beside family, K and whether weights are free."""
        return ()

    @abstractmethod
    def fit(self, problem: Setup, **options: Any) -> em.Fit[Any, Any]:
        """By EM."""

    @abstractmethod
    def mixture(self, problem: Setup, prior: Prior | None, *, standardise: bool) -> Any:
        """The objective of EM, an `em.mixture.Mixture`; in the units of a fit where ``standardise``."""

    def fusable(self, problem: Setup) -> bool:
        """Whether PyMC's model of such data may have a fused likelihood."""
        return False

    def fused_near(self, problem: Setup, point: Parameters) -> bool:
        """Whether a fused likelihood loses no more to rounding about a point than PyMC's own distributions do."""
        return True

    @abstractmethod
    def model(self, problem: Setup) -> pm.Model:
        """By PyMC, with the likelihood of the problem."""

    def log_likelihood(self, problem: Setup, parameters: Parameters) -> float:
        """As `em` has it."""
        return float(self.mixture(problem, None, standardise=False).e_step(parameters).log_likelihood)

    def log_prior(self, problem: Setup, parameters: Parameters) -> float:
        """As `em` has it."""
        return float(self.mixture(problem, problem.prior, standardise=False).log_prior(parameters))

    @abstractmethod
    def log_densities(self, data: Data, parameters: Parameters) -> Floats:
        """``(..., n, K)`` of each row under each component, as `em` has them."""

    def from_pymc(self, weights: Floats, values: dict[str, Any]) -> Parameters:
        """Parameters from PyMC's values by name, all at one point."""
        return self.parameters(weights, *(values[name] for name in self.variables))

    def to_pymc(self, problem: Setup, parameters: Parameters) -> dict[str, Floats]:
        """Values of PyMC's free variables by name, weights left out."""
        return {name: getattr(parameters, name) for name in self.variables}

    def free_numbers(self, problem: Setup, natural: dict[str, Floats]) -> Floats:
        """Each number that the declaration leaves free once, weights left out: what the densities are densities over."""
        return np.concatenate([natural[name] for name in self.variables])

    @abstractmethod
    def refuse_others(self, problem: Setup, parameters: Parameters) -> None:
        """See that parameters are some of the declared model, weights left out; ValueError."""

    @abstractmethod
    def random_parameters(self, problem: Setup, weights: Floats, random: np.random.Generator) -> Parameters:
        """Anywhere near the data, in no order and of no fit."""

    def rows_of_em(self, problem: Setup, mixture: Any) -> tuple[DeclaredRows, DeclaredRows]:
        """The declared rows in the units of EM's mixture, and the rows that it holds."""
        return problem.declared, self.declared(mixture.data)

    @abstractmethod
    def columns_of_pymc(self, values: dict[str, Any]) -> Floats:
        """The columns that stand in the data variables of PyMC's model."""

    def standard_deviation_ratio(self, parameters: Parameters) -> float:
        """Smallest over largest standard deviation of the components, feature by feature; 1 where there are none."""
        return 1.0

    def structurally_unidentified(self, problem: Setup) -> str | None:
        """Why no data of this design tell the parameters apart; None where they may."""
        return None

    def identifiability(self, problem: Setup) -> str:
        """What a design like this is known to tell apart, a sentence; empty where nothing is known."""
        return ""

    def order(self, problem: Setup, point: Parameters, groups: Integers) -> Order:
        """By what components are ordered, of which those of one group are exchangeable."""
        return Order.of(point, groups)

    # Quantities and names

    def order_told(self, problem: Setup) -> str:
        """By what components are ordered, in words."""
        return problem.order.told(problem.comparison.features, self.ordered_by)

    def arrays(self, parameters: Parameters) -> dict[str, Floats]:
        """Parameters as arrays."""
        return {name: getattr(parameters, name) for name in ("weights", *self.variables)}

    def of_arrays(self, arrays: dict[str, Any]) -> Parameters:
        """Parameters with these arrays, unchecked and along any leading axes: of all draws at once."""
        return trusted(self.parameters, **{name: arrays[name] for name in ("weights", *self.variables)})

    def quantities(self, problem: Setup, arrays: dict[str, Any]) -> dict[str, Any]:
        """Every quantity but weights from arrays, component and feature axes last."""
        components = problem.comparison.components
        found = {f"{v}[{name}]": arrays[v][..., k] for v in self.variables for k, name in enumerate(components)}
        if self.average and len(components) > 1:
            found[self.average] = (arrays["weights"] * arrays[self.variables[0]]).sum(axis=-1)
        return found

    def from_quantities(self, problem: Setup, values: dict[str, Floats]) -> dict[str, Floats]:
        """Invert `quantities`: arrays ``(n, K, ...)`` of ``n`` draws, weights left out."""
        components = problem.comparison.components
        return {v: np.stack([values[f"{v}[{name}]"] for name in components], axis=1) for v in self.variables}

    def slopes(self, parameters: Parameters, slopes: dict[str, Floats], values: dict[str, float]) -> dict[str, Floats]:
        """Gradients of all quantities, from those of what is linear in the full vector."""
        if self.average in slopes:
            slopes[self.average] = self._slope_of_average(parameters)
        return slopes

    def _slope_of_average(self, parameters: Parameters) -> Floats:
        rest = np.zeros(len(parameters.weights) * (len(self.variables) - 1))
        return np.concatenate([getattr(parameters, self.variables[0]), parameters.weights, rest])

    def places(self, problem: Setup, arrays: dict[str, Floats]) -> dict[str, Integers]:
        """Where each entry of each array stands among the parameters of its name in EM's full vector."""
        return {name: np.arange(values.size).reshape(values.shape) for name, values in arrays.items()}

    def vector_names(self, problem: Setup) -> list[str]:
        """Names of EM's full vector in the words of the comparison, weights left out."""
        return [f"{v}[{name}]" for v in self.variables for name in problem.comparison.components]

    def em_names(self, problem: Setup) -> dict[str, str]:
        """EM's name of every quantity but weights by the comparison's."""
        components = problem.comparison.components
        found = {f"{v}[{name}]": f"{v}[{k + 1}]" for v in self.variables for k, name in enumerate(components)}
        return found | ({self.average: self.average} if self.average else {})

    def of_fit(self, problem: Setup, fit: em.Fit[Any, Any]) -> dict[str, tuple[float, float]]:
        """Estimate and standard error of every quantity but weights, read off a fit."""
        p, e = fit.parameters, fit.standard_errors
        found = {
            f"{v}[{name}]": (float(getattr(p, v)[k]), float(getattr(e, v)[k]))
            for v in self.variables
            for k, name in enumerate(problem.comparison.components)
        }
        if self.average:
            slope = self._slope_of_average(p)
            error = float(np.sqrt(slope @ e.covariance @ slope))
            found[self.average] = (float(p.weights @ getattr(p, self.variables[0])), error)
        return found

    def entries(self, problem: Setup, values: Any) -> Floats:
        """The full vector ``(p,)`` of parameters or of their standard errors, each number once."""
        return np.concatenate([values.weights, *(getattr(values, name) for name in self.variables)])

    def varied(self, problem: Setup, parameters: Parameters, changed: dict[str, float]) -> Parameters:
        """The parameters with quantities set to new values, by name."""
        arrays = {name: np.array(values) for name, values in self.arrays(parameters).items()}
        for name, value in changed.items():
            variable, _, component = name.removesuffix("]").partition("[")
            arrays[variable][problem.comparison.components.index(component)] = value
        return self.parameters(*arrays.values())

    def pair(self, problem: Setup) -> tuple[str, str] | None:
        """Two quantities over which the log-likelihood is drawn."""
        first = [f"{self.variables[0]}[{name}]" for name in problem.comparison.components[:2]]
        return (first[0], first[1]) if len(first) > 1 else None

    def scale(self, name: str) -> Scale:
        """On which scale the quantity has no bounds, so that a Wald interval stays inside them."""
        variable = variable_and_labels(name)[0]
        return "logit" if variable == "weights" else self.scales[variable]

    def hidden_told(self, problem: Setup) -> str:
        """What component a row has, as a line of the model."""
        return "z[i] ~ Categorical(weights)"

    @abstractmethod
    def words(self, problem: Setup) -> tuple[dict[str, str], str, list[str]]:
        """Options beside K, weights and labels; the distribution of a row; the priors of what is no weight."""

    def unit_powers(self, comparison: Comparison) -> dict[str, int]:
        """Power of the unit of what was measured that observed variables and the family's variables have, where any."""
        return {}

    def notes(self, problem: Setup) -> dict[str, str]:
        """What a report says of this family alone, by where it says it; nothing where left out.

        ``unbounded``: why the estimate is no global maximum. ``profile``: how far profiles are maximised. ``distribution``:
        what the observed share is of. ``irregular``: what modes are that are no estimate. ``distances``: how distances from
        the fit are to be read. ``replicates``: how these are made. ``prior``: what its density is of,
        in which modes are taken as well. ``averaged``: what the quantity ``average`` is.
        """
        return {"distribution": "up to a value", "irregular": "a saddle, or a bound that EM cannot leave"}

    # A third density and a second reading, which share nothing with the rest but names

    @abstractmethod
    def third_density(self, rows: DeclaredRows, parameters: Parameters, component: int) -> Floats:
        """``(n,)`` log density of the rows under a component, by `scipy.stats`."""

    @abstractmethod
    def third_prior_numbers(self, problem: Setup) -> dict[str, Any]:
        """The default prior worked out from the declared rows."""

    @abstractmethod
    def third_log_prior(self, problem: Setup, parameters: Parameters, numbers: dict[str, Any]) -> float:
        """Log prior density on the natural scale, weights left out."""

    def third_rounding(self, problem: Setup, parameters: Parameters) -> float:
        """Nats by which densities of these data may differ by rounding alone, beyond that of sums of logarithms."""
        return 0.0

    def number_sizes(self, numbers: dict[str, Any]) -> dict[str, Floats]:
        """By what the error of each number of a prior is measured; by itself where left out."""
        return {}

    def reread(self, problem: Setup, values: dict[str, Floats], n: int) -> dict[str, Floats]:
        """Arrays ``(n, K, ...)``, weights left out, from PyMC's free variables as sampled."""
        return {name: values[name] for name in self.variables}

    def reread_keys(self, arrays: dict[str, Floats]) -> Floats:
        """``(n, K, m)`` by what components are ordered."""
        return arrays[self.variables[0]][..., None]

    def reread_quantities(self, problem: Setup, arrays: dict[str, Floats]) -> dict[str, Floats]:
        """Every quantity ``(n,)`` but weights that a comparison may have, by the name that it would go under."""
        found = {}
        for v in self.variables:
            for k, component in enumerate(problem.comparison.components):
                found[f"{v}[{component}]"] = arrays[v][:, k]
        if self.average:
            found[self.average] = np.einsum("nk,nk->n", arrays["weights"], arrays[self.variables[0]])
        return found

    def reread_size(self, name: str, arrays: dict[str, Floats]) -> Floats | float:
        """What rounding of a quantity is measured by where it may be near 0."""
        return float(np.finfo(float).tiny)

    # The prior

    @abstractmethod
    def prior_draws(
        self, comparison: Comparison, prior: Prior, n: int, random: np.random.Generator
    ) -> dict[str, Floats]:
        """``n`` draws of arrays, weights left out, in no order."""

    @abstractmethod
    def changed_priors(self, prior: Prior) -> dict[str, Prior]:
        """The prior with its numbers halved and doubled, one after the other, by what was done."""

    def prior_is_flat(self, prior: Prior) -> bool:
        """Whether the density, weights left out, is the same everywhere."""
        return False

    def exact(self, problem: Setup, thresholds: dict[str, list[float]]) -> Any:
        """The posterior by quadrature, a `comparisons.families.exact.ExactPosterior`; None where it is not to be had."""
        return None

    # The data beside the fit

    @abstractmethod
    def replicates(self, data: Data, every: Iterable[Parameters], random: np.random.Generator) -> Iterator[Data]:
        """One data set at each of the parameters, as the data are: the same labels known, rounded alike."""

    @abstractmethod
    def simulated(self, data: Data, parameters: Parameters, components: Integers, random: np.random.Generator) -> Data:
        """Rows of these components in the design of the data, with nothing labelled."""

    def nothing_to_test(self, problem: Setup) -> str | None:
        """Why the data cannot contradict the model, None where they can."""
        return None

    def inside(self, parameters: Parameters, *, free: bool) -> Parameters:
        """Parameters off bounds that EM cannot leave."""
        return parameters

    @abstractmethod
    def distances(
        self, problem: Setup, fit: Parameters, refits: Sequence[tuple[Data, Parameters]], placed: Any
    ) -> tuple[list[Distance], list[QuantilePlot]]:
        """Distances of the data from the fit and of replicates from their own, ``placed`` among these."""

    @abstractmethod
    def departure(self, problem: Setup, departing: list[int]) -> str:
        """What departs from the fitted model, or shows no departure, by the places of the distances that do."""

    @abstractmethod
    def statistics(self, comparison: Comparison, data: Data) -> dict[str, float]:
        """Statistics of the data by name that the model has no parameter for."""

    @abstractmethod
    def distributions(self, problem: Setup) -> list[Distribution]:
        """How the variables are distributed that are shown beside replicates."""

    @abstractmethod
    def margins(self, problem: Setup) -> list[Margin]:
        """Every observed variable by itself."""
