"""Normal mixtures in the studies: populations, easy and hard on purpose, and what is broken of normals alone."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, replace
from typing import Any

import numpy as np

from comparisons.study.setting import Setting
from models import GaussianParameters, GaussianPrior, Measurements
from models.gaussians.covariances import Covariance
from models.inputs import Floats, Integers

# Expected variance 1 and means within some 4.5 of 0; for d features the same for each.
UNIT_PRIOR = GaussianPrior(mean=[0.0], shrinkage=0.05, degrees_of_freedom=5.0, scale=[[3.0]], concentration=2.0)
UNIT_PRIOR_2D, UNIT_PRIOR_3D = (
    GaussianPrior(
        mean=np.zeros(d), shrinkage=0.05, degrees_of_freedom=d + 4.0, scale=3.0 * np.eye(d), concentration=2.0
    )
    for d in (2, 3)
)
FORMS: tuple[Covariance, ...] = ("full", "tied", "diagonal", "spherical", "tied-diagonal", "tied-spherical")
# Shares of ``--replicates`` that make 800 of a hundred.
NORMALS, FORM, OTHER = 0.4, 0.2, 0.2
# The same of ``--replicates`` of a calibration, as a posterior takes three times as long as one of coins; and no fault planted
# there needs more.
CALIBRATED, SHOW_LITTLE = 0.3, ()
# Rows this near to each other, in the units of the settings, are taken for one.
NEAR = 0.25


@dataclass(frozen=True, slots=True)
class NormalSetting(Setting):
    """Measurements, multiples of ``rounded`` as read off a scale where that is not 0."""

    _: KW_ONLY
    covariance: Covariance = "full"
    rounded: float = 0.0

    @property
    def form(self) -> str:
        given: Any = self.prior if self.truth is None else self.truth
        d = np.shape(given.means if self.truth is not None else given.mean)[-1]
        return f"{self.covariance}, {d} feature{'s' * (d > 1)}"

    def rows(
        self, truth: GaussianParameters, components: Integers, random: np.random.Generator, **known: Any
    ) -> Measurements:
        y = truth.simulate(components, random)
        return Measurements(self.rounded * np.round(y / self.rounded) if self.rounded else y, **known)

    def separation(self, truth: GaussianParameters) -> float:
        distances = []
        for a in range(len(truth.weights)):
            for b in range(a):
                apart = truth.means[a] - truth.means[b]
                distances.append(
                    min(float(np.sqrt(apart @ np.linalg.solve(truth.covariances[j], apart))) for j in (a, b))
                )
        return min(distances)


def _normals(means: list[float], deviations: list[float], weights: list[float] | None = None) -> GaussianParameters:
    k = len(means)
    return GaussianParameters(weights or [1 / k] * k, means, np.square(deviations))


def _clusters(means: list[list[float]], covariance: Floats, weights: list[float] | None = None) -> GaussianParameters:
    """Normals of several features with one covariance ``(d, d)``."""
    k = len(means)
    return GaussianParameters(weights or [1 / k] * k, means, np.repeat(covariance[None], k, axis=0))


def _of_every_form() -> tuple[NormalSetting, ...]:
    """Parameters from the prior, in one, two and three features, for every form of covariance that has no setting yet."""
    priors = {"line": UNIT_PRIOR, "plane": UNIT_PRIOR_2D, "space": UNIT_PRIOR_3D}
    return tuple(
        NormalSetting(
            f"normals-{where}-{form}",
            60 + 20 * (d - 1),
            f"Parameters from the prior, {d} feature{'s' * (d > 1)}, {form} covariances.",
            prior,
            covariance=form,
            share=FORM,
        )
        for d, (where, prior) in enumerate(priors.items(), 1)
        for form in FORMS
        if (where, form) not in (("line", "full"), ("plane", "full"))
    )


CLEAN = (
    NormalSetting("normals-few", 25, "Parameters from the prior, few rows.", UNIT_PRIOR, share=NORMALS),
    NormalSetting("normals-free", 80, "Parameters from the prior.", UNIT_PRIOR, share=NORMALS),
    NormalSetting("normals-separated", 120, "Four sd apart.", UNIT_PRIOR, _normals([-2, 2], [1, 1]), share=NORMALS),
    NormalSetting(
        "normals-overlap", 80, "1.5 sd apart: one hump.", UNIT_PRIOR, _normals([-0.75, 0.75], [1, 1]), share=NORMALS
    ),
    NormalSetting(
        "normals-nested",
        100,
        "A narrow component inside a wide one: maxima that mean nothing abound.",
        UNIT_PRIOR,
        _normals([0.0, 0.5], [1.0, 0.3], [0.7, 0.3]),
        share=NORMALS,
    ),
    NormalSetting(
        "normals-tied",
        60,
        "Equal weights, one variance.",
        UNIT_PRIOR,
        weights="equal",
        covariance="tied",
        share=NORMALS,
    ),
    NormalSetting("normals-labelled", 60, "A third of the rows labelled.", UNIT_PRIOR, labelled=1 / 3, share=NORMALS),
    NormalSetting("normals-plane", 60, "Two features, full covariances.", UNIT_PRIOR_2D, share=NORMALS),
    NormalSetting(
        "normals-near-singular",
        80,
        "The second feature is the first but for a hundredth of its spread; default prior.",
        None,
        _clusters([[-2.0, -2.0], [2.0, 2.02]], np.array([[1.0, 1.0], [1.0, 1.0001]])),
        share=OTHER,
    ),
    NormalSetting(
        "normals-sharp-peak",
        300,
        "A sharp peak on a broad background: a fiftieth as wide; default prior.",
        None,
        _normals([0.0, 0.3], [1.0, 0.02], [0.4, 0.6]),
        share=OTHER,
    ),
    NormalSetting(
        "normals-far-from-unit",
        100,
        "Lengths of 20 and 60 micrometres told in metres, in the plane of a temperature in kelvins; default prior.",
        None,
        _clusters([[2e-5, 290.0], [6e-5, 291.0]], np.diag([1e-10, 0.25])),
        share=OTHER,
    ),
    NormalSetting(
        "normals-rounded",
        100,
        "Read off a scale in steps of half a standard deviation: many ties.",
        UNIT_PRIOR,
        _normals([-1.5, 1.5], [1.0, 1.0]),
        rounded=0.5,
        share=OTHER,
    ),
    NormalSetting(
        "normals-second-feature",
        80,
        "Clusters that differ in the second feature only.",
        UNIT_PRIOR_2D,
        _clusters([[0.0, -2.5], [0.0, 2.5]], np.eye(2)),
        share=OTHER,
    ),
    NormalSetting(
        "normals-equal-means",
        150,
        "One mean, two variances.",
        UNIT_PRIOR,
        _normals([0.0, 0.0], [0.4, 2.5]),
        share=OTHER,
    ),
    NormalSetting(
        "normals-plane-labelled",
        60,
        "Two features, a third of the rows labelled.",
        UNIT_PRIOR_2D,
        labelled=1 / 3,
        share=OTHER,
    ),
    NormalSetting("normals-counted", 60, "Rows that were seen up to five times.", UNIT_PRIOR, repeated=5, share=OTHER),
    *_of_every_form(),
)

CALIBRATION = (
    NormalSetting("sbc-normals", 20, "Two normals.", UNIT_PRIOR),
    NormalSetting("sbc-normals-plane", 20, "Two features.", UNIT_PRIOR_2D),
    *(
        NormalSetting(f"sbc-normals-{where}-{form}", 20, f"{form} covariances.", prior, covariance=form, share=FORM)
        for where, prior in (("line", UNIT_PRIOR), ("plane", UNIT_PRIOR_2D), ("space", UNIT_PRIOR_3D))
        for form in FORMS
        if where == "space" or form != "full"
    ),
)

PLANTED = (
    NormalSetting(
        "normals-repeated",
        60,
        "Rows that were seen several times.",
        UNIT_PRIOR,
        _normals([-1.5, 1.5], [0.8, 1.2], [0.4, 0.6]),
        repeated=3,
    ),
    NormalSetting(
        "normals-tied-apart",
        80,
        "One variance, equal weights.",
        UNIT_PRIOR,
        _normals([-1.2, 1.2], [1, 1]),
        weights="equal",
        covariance="tied",
    ),
    NormalSetting(
        "normals-three-clusters",
        90,
        "Three clusters where the model has two components: several modes, and chains that stay in one.",
        UNIT_PRIOR,
        _normals([-6.0, 0.0, 5.0], [0.6, 0.6, 0.6], [0.4, 0.35, 0.25]),
    ),
    NormalSetting(
        "normals-plane-tied-apart",
        60,
        "Two features, one covariance, rows seen up to three times.",
        UNIT_PRIOR_2D,
        _clusters([[-1.5, -0.5], [1.5, 0.5]], np.array([[0.8, 0.2], [0.2, 1.1]]), [0.4, 0.6]),
        covariance="tied",
        repeated=3,
    ),
    NormalSetting(
        "normals-plane-diagonal-apart",
        60,
        "Two features, diagonal covariances, rows seen up to three times.",
        UNIT_PRIOR_2D,
        _clusters([[-1.5, -0.5], [1.5, 0.5]], np.diag([0.8, 1.1]), [0.4, 0.6]),
        covariance="diagonal",
        repeated=3,
    ),
    NormalSetting(
        "normals-default-prior",
        60,
        "The default prior, made from the data.",
        None,
        _normals([-1.5, 1.5], [0.8, 1.2], [0.4, 0.6]),
    ),
    NormalSetting(
        "normals-plane-default-prior",
        60,
        "The default prior in the plane, made from the data.",
        None,
        _clusters([[-1.5, -0.5], [1.5, 0.5]], np.diag([0.8, 1.1]), [0.4, 0.6]),
        covariance="diagonal",
    ),
)


def neighbour(columns: Floats) -> Floats:
    """The first row half a standard deviation off."""
    changed = np.array(columns)
    changed[0] += 0.5 * changed.std(axis=0)
    return changed


def near(columns: Floats) -> Floats:
    """By what rows are taken for one."""
    return np.round(columns / NEAR)


def all_equal(p: GaussianParameters) -> GaussianParameters:
    """Every component at the fit of a single one."""
    mean, k = p.weights @ p.means, len(p.weights)
    apart = p.means - mean
    pooled = np.einsum("k,kab->ab", p.weights, p.covariances + np.einsum("ka,kb->kab", apart, apart))
    return GaussianParameters(p.weights, np.repeat(mean[None], k, 0), np.repeat(pooled[None], k, 0))


def of_everyone(statistics: Any) -> Any:
    """Statistics with which the M-step divides by all rows instead of each component's."""
    return replace(statistics, rows=np.broadcast_to(statistics.rows.sum(axis=-1, keepdims=True), statistics.rows.shape))


def own_axes(mixture: Any) -> dict[str, int]:
    """Where the component's axis stands in parameters of a component alone, counted from the end."""
    return {"means": 2} if mixture.form.tied else {"means": 2, "covariances": 3}


def other_prior(prior: GaussianPrior) -> GaussianPrior:
    """Twice the scale."""
    return replace(prior, scale=2 * prior.scale)


def prior_on_other_scale(prior: GaussianPrior) -> GaussianPrior:
    """With which the mode is that of log variances."""
    return replace(prior, degrees_of_freedom=prior.degrees_of_freedom - 2)
