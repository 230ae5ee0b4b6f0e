"""Mixtures of linear regressions in the studies: populations, easy and hard on purpose, and what is broken of them alone."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, replace
from typing import Any

import numpy as np

from comparisons.families.regressions.rows import weights_of_rows
from comparisons.study.setting import Setting
from models import ConcomitantParameters, RegressionParameters, RegressionPrior, RegressionRows
from models.inputs import Floats, Integers

# Expected variance 1, and at a covariate of mean 0 and standard deviation 1 lines within some 4.5 of 0.
PRIOR = RegressionPrior([0.0, 0.0], np.sqrt(0.05) * np.eye(2), 5.0, 3.0, 2.0)
# The same with weights that depend on a concomitant of mean 0 and standard deviation 1.
GATED = replace(PRIOR, gating=np.array([2.0]))
# Shares of ``--replicates`` of a study of sound engines and of a calibration, as of `comparisons.study.poissons`.
SHARE = 0.4
CALIBRATED, SHOW_LITTLE = 0.3, ()
# Responses this near to each other are taken for one.
NEAR = 0.25


@dataclass(frozen=True, slots=True)
class RegressionSetting(Setting):
    """Responses at one covariate that is drawn from a standard normal distribution."""

    _: KW_ONLY
    covariance: Any = "own"

    @property
    def form(self) -> str:
        return f"{self.covariance}, 1 covariate"

    def rows(
        self, truth: RegressionParameters, components: Integers, random: np.random.Generator, **known: Any
    ) -> RegressionRows:
        x = random.normal(size=len(components))
        y = truth.simulate(components, np.column_stack([np.ones(len(x)), x]), random)
        return RegressionRows(y, x, **known)

    def separation(self, truth: RegressionParameters) -> float:
        # Root mean square over the covariate.
        pairs = [(a, b) for a in range(len(truth.weights)) for b in range(a)]
        lines, deviations = truth.coefficients, truth.standard_deviations
        return float(min(np.linalg.norm(lines[a] - lines[b]) / max(deviations[a], deviations[b]) for a, b in pairs))


class GatedSetting(RegressionSetting):
    """Weights depend on a concomitant that is drawn from a standard normal distribution, beside the covariate."""

    __slots__ = ()

    @property
    def form(self) -> str:
        return f"{self.covariance}, 1 covariate, 1 concomitant"

    def rows(
        self, truth: RegressionParameters, components: Integers, random: np.random.Generator, **known: Any
    ) -> RegressionRows:
        x, w = random.normal(size=(2, len(components)))
        rows = RegressionRows(np.zeros(len(x)), x, **known).with_concomitants(w)
        # Components that were drawn by the weights at the average are drawn again, by those of each row.
        below = np.cumsum(weights_of_rows(rows, truth), axis=1)[:, :-1]
        own = (random.random(len(x))[:, None] > below).sum(axis=1)
        return rows.like(truth.simulate(own, rows.lines.design, random), rows.design, rows.counts)


def _lines(lines: list[list[float]], deviations: list[float], weights: list[float]) -> RegressionParameters:
    return RegressionParameters(weights, lines, np.square(deviations))


CLEAN = (
    RegressionSetting("regressions-free", 120, "Parameters from the prior.", PRIOR, share=SHARE),
    RegressionSetting("regressions-few", 40, "Few rows.", PRIOR, share=SHARE),
    RegressionSetting(
        "regressions-tied", 80, "Equal weights, one variance.", PRIOR, weights="equal", covariance="tied", share=SHARE
    ),
    RegressionSetting("regressions-labelled", 80, "A third labelled.", PRIOR, labelled=1 / 3, share=SHARE),
    RegressionSetting(
        "regressions-crossing",
        150,
        "Lines that cross in the middle of the rows.",
        PRIOR,
        _lines([[0.0, 2.0], [0.0, -2.0]], [1.0, 0.7], [0.4, 0.6]),
        share=SHARE,
    ),
    RegressionSetting(
        "regressions-apart",
        150,
        "Default prior.",
        None,
        _lines([[-3.0, 1.0], [3.0, 0.0]], [1.0, 1.0], [0.4, 0.6]),
        share=SHARE,
    ),
    GatedSetting("regressions-gated", 150, "Weights depend on a concomitant; all from the prior.", GATED, share=SHARE),
)
CALIBRATION = (
    RegressionSetting("sbc-regressions", 20, "Two lines.", PRIOR),
    RegressionSetting("sbc-regressions-tied", 20, "Two lines of one variance.", PRIOR, covariance="tied"),
    GatedSetting("sbc-regressions-gated", 20, "Weights depend on a concomitant.", GATED),
)
PLANTED = (
    RegressionSetting(
        "regressions-repeated",
        60,
        "Rows that were seen several times.",
        PRIOR,
        _lines([[-2.0, 1.0], [2.0, -0.5]], [1.0, 0.6], [0.4, 0.6]),
        repeated=3,
    ),
    GatedSetting(
        "regressions-gated-fixed",
        100,
        "Weights depend on a concomitant.",
        GATED,
        ConcomitantParameters([0.4, 0.6], [[-2.0, 1.0], [2.0, -0.5]], [1.0, 0.36], [[-0.6], [0.6]]),
    ),
)


def near(columns: Floats) -> Floats:
    """By what rows are taken for one: the response, rounded."""
    return np.round(columns[:, :1] / NEAR)


def all_equal(p: RegressionParameters) -> RegressionParameters:
    """Every component at the average of all."""
    k = len(p.weights)
    return RegressionParameters(
        p.weights, np.tile(p.weights @ p.coefficients, (k, 1)), np.full(k, p.weights @ p.variances)
    )


def of_everyone(statistics: Any) -> Any:
    """Statistics with which the M-step divides squares by all rows, instead of each component's own."""
    return replace(statistics, rows=np.broadcast_to(statistics.rows.sum(axis=-1, keepdims=True), statistics.rows.shape))


def own_axes(mixture: Any) -> dict[str, int]:
    """Where the component's axis stands in parameters of a component alone, counted from the end."""
    return {"coefficients": 2, "variances": 1}


def other_prior(prior: RegressionPrior) -> RegressionPrior:
    """Two degrees of freedom more."""
    return _with_degrees(prior, 2.0)


def _with_degrees(prior: RegressionPrior, more: float) -> RegressionPrior:
    """The prior with more degrees of freedom."""
    return RegressionPrior(prior.mean, prior.root, prior.degrees_of_freedom + more, prior.scale, prior.concentration)


def prior_on_other_scale(prior: RegressionPrior) -> RegressionPrior:
    """With which the mode is that of log variances."""
    return _with_degrees(prior, -2.0)
