"""The judge of both engines for a mixture: a third density, a second reading, and what both engines share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from comparisons.capabilities import Parameters, Third
from comparisons.families import shared_code, third_density, third_reading
from comparisons.families.family import Setup
from comparisons.results.result import Check
from models.inputs import Floats

if TYPE_CHECKING:
    import xarray as xr

    from models import LogPosterior


@dataclass(frozen=True, slots=True, eq=False)
class MixtureThird(Third):
    """See `comparisons.capabilities.Third`."""

    setup: Setup

    def log_likelihood(self, parameters: Parameters) -> float:
        return third_density.log_likelihood(self.setup, parameters)

    def log_prior(self, parameters: Parameters) -> float:
        return third_density.log_prior(self.setup, parameters)

    def rounding(self, parameters: Parameters) -> float:
        return third_density.rounding(self.setup, parameters)

    def other_declaration(self, density: LogPosterior) -> Check | None:
        return shared_code.other_data(self.setup, density) or shared_code.other_prior(self.setup)

    def misread(
        self,
        sampled: xr.Dataset,
        values: dict[str, Floats],
        estimates: Sequence[tuple[Parameters, dict[str, float]]],
    ) -> Check | None:
        return third_reading.misread(self.setup, sampled, values, estimates)
