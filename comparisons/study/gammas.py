"""Gamma-distributed waiting times in the studies: populations, easy and hard on purpose."""

from __future__ import annotations

from dataclasses import replace

from comparisons.study.waits import WaitSetting
from models import GammaParameters, GammaPrior

# Means of some 5, standard deviations of a third of that.
PRIOR = GammaPrior(4.0, 0.4, 2.0, 10.0, 2.0)
# Shares of ``--replicates`` of a study of sound engines and of a calibration, as of `comparisons.study.poissons`.
SHARE = 0.4
CALIBRATED, SHOW_LITTLE = 0.3, ()

CLEAN = (
    WaitSetting("gammas-free", 120, "Shapes, rates and weights from the prior.", PRIOR, share=SHARE),
    WaitSetting("gammas-few", 40, "Few rows.", PRIOR, share=SHARE),
    WaitSetting("gammas-censored", 120, "Some quarter are censored.", PRIOR, watched=4.0, share=SHARE),
    WaitSetting("gammas-equal", 120, "Equal weights.", PRIOR, weights="equal", share=SHARE),
    WaitSetting("gammas-labelled", 80, "A third labelled.", PRIOR, labelled=1 / 3, share=SHARE),
    WaitSetting(
        "gammas-apart", 150, "Default prior.", None, GammaParameters([0.4, 0.6], [30, 60], [15, 12]), share=SHARE
    ),
)
CALIBRATION = (
    WaitSetting("sbc-gammas", 20, "Two shapes and rates.", PRIOR),
    WaitSetting("sbc-gammas-censored", 20, "Two of both; some quarter are censored.", PRIOR, watched=4.0),
)
PLANTED = (
    WaitSetting(
        "gammas-repeated",
        60,
        "Waits that were seen several times, some of them censored.",
        PRIOR,
        GammaParameters([0.4, 0.6], [8, 20], [4, 2]),
        repeated=3,
        watched=4.0,
    ),
)


def other_prior(prior: GammaPrior) -> GammaPrior:
    """One wait more."""
    return replace(prior, rate_shape=prior.rate_shape + 1)


# With which the mode is that of log rates.
prior_on_other_scale = other_prior
