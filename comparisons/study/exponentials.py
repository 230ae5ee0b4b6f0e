"""Exponential waiting times in the studies: populations, easy and hard on purpose."""

from __future__ import annotations

from comparisons.study.waits import WaitSetting
from models import ExponentialParameters, ExponentialPrior

# Rates of some 0.2, so waits of some five.
PRIOR = ExponentialPrior(2.0, 10.0, 2.0)
# Shares of ``--replicates`` of a study of sound engines and of a calibration, as of `comparisons.study.poissons`.
SHARE = 0.4
CALIBRATED, SHOW_LITTLE = 0.3, ()

CLEAN = (
    WaitSetting("exponentials-free", 120, "Rates and weights from the prior.", PRIOR, share=SHARE),
    WaitSetting("exponentials-few", 30, "Few rows.", PRIOR, share=SHARE),
    WaitSetting("exponentials-censored", 120, "Some half are censored.", PRIOR, watched=2.0, share=SHARE),
    WaitSetting("exponentials-equal", 120, "Equal weights.", PRIOR, weights="equal", share=SHARE),
    WaitSetting("exponentials-labelled", 80, "A third labelled.", PRIOR, labelled=1 / 3, share=SHARE),
    WaitSetting(
        "exponentials-apart", 200, "Default prior.", None, ExponentialParameters([0.5, 0.5], [0.1, 2.0]), share=SHARE
    ),
)
CALIBRATION = (
    WaitSetting("sbc-exponentials", 20, "Two rates.", PRIOR),
    WaitSetting("sbc-exponentials-censored", 20, "Two rates; some half are censored.", PRIOR, watched=2.0),
)
PLANTED = (
    WaitSetting(
        "exponentials-repeated",
        60,
        "Waits that were seen several times, some of them censored.",
        PRIOR,
        ExponentialParameters([0.4, 0.6], [0.05, 1.0]),
        repeated=3,
        watched=4.0,
    ),
)
