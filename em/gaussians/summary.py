"""What has to be known of all rows of measurements before any of them is fitted."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from models.gaussians.covariances import CovarianceForm
from models.gaussians.measurements import Measurements, collinear, covariance_of, fit_for, mean_of
from models.gaussians.nouns import GaussianPrior
from models.inputs import Floats, Integers


@dataclass(frozen=True, slots=True, eq=False)
class Summary:
    """What has to be known of all rows before any of them is fitted.

    Attributes
    ----------
    n : rows, each counted as often as it was seen
    mean, covariance : ``(d,)`` and ``(d, d)``, divisor n - 1
    labels : those that are known of some row
    """

    n: int
    mean: Floats
    covariance: Floats
    labels: Integers

    @classmethod
    def of(cls, data: Measurements) -> Summary:
        """Summarise rows in memory."""
        return cls(data.n, mean_of(data), covariance_of(data), data.labels)

    def of_full_rank(self, features: tuple[str, ...], form: CovarianceForm, prior: GaussianPrior | None) -> Summary:
        """The same where all columns vary and none is the combination of others; else with a covariance that takes its place.

        Raises
        ------
        ValueError
            for data for which the likelihood of a form has no meaning, and no prior gives it one
        """
        if prior is None:
            fit_for(self.covariance, self.mean, self.n, features, form.shape)
        variances = np.diag(self.covariance).copy()
        constant = variances == 0
        if constant.any():
            own = variances[~constant].mean() if prior is None else np.diag(prior.scale) / prior.degrees_of_freedom
            variances[constant] = np.broadcast_to(own, variances.shape)[constant]
        elif not len(collinear(self.covariance)):
            return self
        return replace(self, covariance=np.diag(variances))
