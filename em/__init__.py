"""Hand-written EM for finite mixtures: maximum likelihood, or the posterior mode where a prior is given."""

from typing import TYPE_CHECKING

from em.ascent.climb import ObjectiveDecreased
from em.beta_binomials import beta_binomial_mixture
from em.coins.fit import coin_mixture
from em.exponentials import exponential_mixture
from em.fit import Fit
from em.gammas import gamma_mixture
from em.gaussians.fit import gaussian_mixture
from em.hidden_markov_chains import HiddenMarkovFit, hidden_markov
from em.latent_classes import latent_class_mixture
from em.negative_binomials import negative_binomial_mixture
from em.poissons import poisson_mixture
from em.regressions.fit import regression_mixture
from em.search.doubts import Doubt
from em.search.optima import Mode
from models.later import at_first_use

if TYPE_CHECKING:
    from em.conformance.check import FamilyFailed, FamilyPassed, check_family
    from em.derived.derive import derive
    from em.read import read_fit
    from em.rows.bags import distinct_tosses
    from em.uncertainty.profile import profile_interval
    from em.uncertainty.quantities import Interval
    from em.uncertainty.resampling import Bootstrap, bootstrap
    from em.uncertainty.robust import sandwich

__all__ = [
    "Bootstrap",
    "Doubt",
    "FamilyFailed",
    "FamilyPassed",
    "Fit",
    "HiddenMarkovFit",
    "Interval",
    "Mode",
    "ObjectiveDecreased",
    "beta_binomial_mixture",
    "bootstrap",
    "check_family",
    "coin_mixture",
    "derive",
    "distinct_tosses",
    "exponential_mixture",
    "gamma_mixture",
    "gaussian_mixture",
    "hidden_markov",
    "latent_class_mixture",
    "negative_binomial_mixture",
    "poisson_mixture",
    "profile_interval",
    "read_fit",
    "regression_mixture",
    "sandwich",
]

# What comes after a fit is imported at its first use: an import of a package should cost little more than NumPy's.
__getattr__, __dir__ = at_first_use(
    __name__,
    __all__,
    {
        "Bootstrap": "em.uncertainty.resampling",
        "FamilyFailed": "em.conformance.check",
        "FamilyPassed": "em.conformance.check",
        "Interval": "em.uncertainty.quantities",
        "bootstrap": "em.uncertainty.resampling",
        "check_family": "em.conformance.check",
        "derive": "em.derived.derive",
        "distinct_tosses": "em.rows.bags",
        "profile_interval": "em.uncertainty.profile",
        "read_fit": "em.read",
        "sandwich": "em.uncertainty.robust",
    },
)
