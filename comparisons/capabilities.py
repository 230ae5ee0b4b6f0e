"""What a model may be without: coordinates without bounds, a judge of both engines, data like its own, curves."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from comparisons.differences import central_gradient
from comparisons.results.report_data import Distance, QuantilePlot
from comparisons.results.result import Check
from models.inputs import Floats

if TYPE_CHECKING:
    import numpy as np
    import xarray as xr

    from models import LogPosterior

# The nouns of a model. Parameters may have leading axes where many points are meant.
type Data = Any
type Parameters = Any


@dataclass(frozen=True, slots=True, eq=False)
class Distribution:
    """How one variable is distributed in a data set.

    Attributes
    ----------
    kind : whether rows are counted, or their share at or below each point is told
    variable : what it is called
    grid : ``(G,)``
    observed : ``(G,)`` of the data at hand
    of : ``(G,)`` of any data like these
    """

    kind: Literal["counts", "distribution"]
    variable: str
    grid: Floats
    observed: Floats
    of: Callable[[Data], Floats]


@dataclass(frozen=True, slots=True, eq=False)
class Margin:
    """One observed variable by itself, in the data and under the model.

    Attributes
    ----------
    kind : whether it is counted or has a density
    name, unit : what it is called, and what stands at its axis
    values : ``(n,)`` of the distinct rows, NaN where missing
    ties : share of rows equal to a value that counts as above it: half for measurements, since these are rounded
    most : value at and above which the distribution function is 1
    grid : ``(G,)`` where it is drawn
    observed : ``(G,)`` rows there, None for a density
    expected : ``(..., K, G)`` rows, or density, of each component there, by arrays ``(..., K)``
    below : ``(...)`` distribution function at a value, by arrays
    """

    kind: Literal["counts", "density"]
    name: str
    unit: str
    values: Floats
    ties: float
    most: float
    grid: Floats
    observed: Floats | None
    expected: Callable[[dict[str, Floats]], Floats]
    below: Callable[[float, dict[str, Floats]], Floats]


class Unconstrained(ABC):
    """The log posterior as EM has it, Jacobian included, in ``f`` coordinates without bounds and at many points at once.

    In them a permutation of exchangeable components is a linear map of determinant 1, and the posterior does not change.
    """

    @abstractmethod
    def __call__(self, x: Floats) -> Floats:
        """Log density ``(m,)`` at the points ``(m, f)``, all constants included; -inf where there is none."""

    @abstractmethod
    def at(self, parameters: Parameters) -> Floats:
        """Coordinates ``(f,)`` of parameters; what is at a bound is moved a little inside."""

    @abstractmethod
    def coordinates(self, parameters: Parameters) -> Floats:
        """Coordinates ``(m, f)`` of many parameters, off all bounds."""

    @abstractmethod
    def parameters(self, x: Floats) -> Parameters:
        """Parameters at the points ``(m, f)``, along a leading axis."""

    def gradient(self, x: Floats, reach: Floats) -> Floats:
        """``(m, f)`` gradients at the points ``(m, f)``, each of which may move by ``reach`` ``(f,)`` with little change."""
        return central_gradient(self, x, reach)

    @abstractmethod
    def moves(self, x: Floats) -> Floats:
        """``(p, f)`` derivative of EM's full vector by the coordinates at ``(f,)``."""

    @property
    @abstractmethod
    def row_densities(self) -> int:
        """How many densities of one row under one component a density takes."""

    @property
    def n_labellings(self) -> int:
        """In how many orders exchangeable components can be read."""
        return 1

    def labellings(self) -> Floats:
        """``(n_labellings, f, f)`` linear maps of the coordinates, one for every order of exchangeable components."""
        raise NotImplementedError("a posterior with more than one labelling says how they are mapped")


class Third(ABC):
    """A third density and a second reading of the declaration, which share nothing with what they judge."""

    @abstractmethod
    def log_likelihood(self, parameters: Parameters) -> float:
        """Of all rows as declared, in nats."""

    @abstractmethod
    def log_prior(self, parameters: Parameters) -> float:
        """On the natural scale, in nats."""

    def rounding(self, parameters: Parameters) -> float:
        """Nats by which densities of these data may differ by rounding alone, beyond that of sums of logarithms."""
        return 0.0

    def other_declaration(self, density: LogPosterior) -> Check | None:
        """A failed check where an engine got other rows or another prior than were declared, else None."""
        return None

    def misread(
        self,
        sampled: xr.Dataset,
        values: dict[str, Floats],
        estimates: Sequence[tuple[Parameters, dict[str, float]]],
    ) -> Check | None:
        """A failed check where draws or estimates are read as other quantities than their names say, else None.

        Parameters
        ----------
        sampled : draws as the sampler gave them
        values : ``(chains, draws)`` of every quantity by name, as the comparison has them
        estimates : of EM, each with its quantities by name
        """
        return None


class Simulation(ABC):
    """Data sets like the one at hand, and how far data are from a fit."""

    @abstractmethod
    def nothing_to_test(self) -> str | None:
        """Why the data cannot contradict the model, None where they can."""

    @abstractmethod
    def replicates(self, every: Sequence[Parameters], random: np.random.Generator) -> Iterator[Data]:
        """One data set at each of the parameters."""

    @abstractmethod
    def refitted(self, data: Data, starts: Sequence[Parameters]) -> Parameters | None:
        """Fit by EM from these starts; None where there is no regular optimum."""

    @abstractmethod
    def distances(
        self, fit: Parameters, refits: Sequence[tuple[Data, Parameters]], placed: Any
    ) -> tuple[list[Distance], list[QuantilePlot]]:
        """Distances of the data from the fit and of replicates from their own, ``placed`` among these."""

    def rival(self) -> str:
        """Name of a comparison of the catalogue with another model of the same data; none where empty."""
        return ""

    @abstractmethod
    def departure(self, departing: list[int]) -> str:
        """What departs from the fitted model, or shows no departure, by the places of the distances that do."""

    @abstractmethod
    def statistics(self, data: Data | None = None) -> dict[str, float]:
        """Statistics by name that the model has no parameter for, of the data at hand where none are given."""

    @abstractmethod
    def distributions(self) -> list[Distribution]:
        """How the variables are distributed that are shown beside replicates."""
