"""The PyMC model of mixtures of linear regressions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from models.elementwise import asked
from models.gaussians.white import means_transform
from models.inputs import Floats
from models.mixture_distribution import add_weights, draw_components, mixture_log_density, take_components
from models.mixtures import Weights
from models.regressions.nouns import RegressionPrior, Variances, is_tied, refuse_held, rows_of
from models.regressions.regressors import RegressionRows, Regressors

if TYPE_CHECKING:
    import pymc as pm


def regression_mixture(
    y: RegressionRows | ArrayLike,
    x: Any = None,
    n_components: int = 2,
    covariance: Variances = "own",
    weights: Weights = "free",
    prior: RegressionPrior | None = None,
    *,
    counts: ArrayLike | None = None,
    labels: ArrayLike | None = None,
    intercept: bool = True,
    concomitants: Any = None,
) -> pm.Model:
    """Build the PyMC model of a mixture of linear regressions; arguments as in `em.regression_mixture`.

    Returns
    -------
    pymc.Model
        Free variables ``coefficients`` with the dims ``component`` and ``covariate``, ``variances`` (computed from
        ``shared_variance`` where tied) and, unless held, ``weights``, with the dim ``component``; ``standard_deviations``
        computed; observed ``y``. ``prior`` is
        `RegressionPrior.weakly_informative` where None. The sampler moves in coordinates in which all rows together are white.
        With concomitants also a free variable ``gates`` with the dims ``concomitant`` and ``component``, over the components
        summing to 0, and ``gating``, the same transposed; ``weights`` are those at their average.
    """
    import pymc as pm
    import pytensor.tensor as pt

    data, tied = rows_of(y, x, counts, labels, intercept, concomitants), is_tied(covariance)
    treated = asked("y", data, RegressionRows, n_components, weights, prior, RegressionPrior)
    if data.n_concomitants:
        refuse_held(weights)
        if n_components == 1:
            raise ValueError("n_components is 1, whose weight depends on nothing; leave concomitants out")
    held = RegressionPrior.weakly_informative(data, n_components) if prior is None else prior.checked(data)
    seen = data.seen()
    lines, told = seen.lines, Regressors.of(seen.lines)
    k, p = n_components, len(lines.covariates)
    spread = float(np.sqrt(seen.counts @ told.residuals**2 / seen.n))

    def prior_logp(value: Any, mean: Any, root: Any, deviation: Any, *white: Any) -> Any:
        z = (root * (value - mean)[..., None, :]).sum(-1)
        own = pm.logp(pm.Normal.dist(0.0, deviation[..., None]), z).sum(-1)
        return own + pt.log(pt.abs(pt.linalg.det(root.reshape((p, p)))))

    def prior_random(
        mean: Floats, root: Floats, deviation: Floats, *white: Any, rng: Any = None, size: Any = None
    ) -> Floats:
        shape = np.broadcast_shapes(np.shape(deviation), () if size is None else tuple(size))
        z = rng.normal(size=(*shape, p)) * np.asarray(deviation)[..., None]
        return np.asarray(np.reshape(mean, (-1, p))[0] + z @ np.linalg.inv(np.reshape(root, (-1, p, p))[0]).T)

    def logp(
        value: Any, design: Any, log_shares: Any, lines: Any, deviations: Any, seen_counts: Any, known: Any
    ) -> Any:
        heights = (design[..., None, :] * lines).sum(-1)
        density = pm.logp(pm.Normal.dist(heights, deviations), value[..., None])
        return mixture_log_density(log_shares, density, seen_counts, known)

    def random(
        design: Any, log_shares: Any, lines: Any, deviations: Any, _: Any, known: Any, rng: Any = None, size: Any = None
    ) -> Floats:
        component = draw_components(np.exp(log_shares), known, size, rng)
        heights = (np.asarray(design) * take_components(lines, component, core=1)).sum(-1)
        return np.asarray(rng.normal(heights, take_components(deviations, component, core=0)))

    # Bounds need no checks: the transforms keep every value inside, and the graph compiles faster without.
    with pm.Model(coords={"component": range(k), "covariate": lines.covariates}, check_bounds=False) as model:
        observed = pm.Data("observed_y", np.array(seen.y))
        design = pm.Data("design", np.array(lines.design), shape=(None, p))
        counted, known = pm.Data("counts", seen.counts.astype(float)), pm.Data("labels", np.array(seen.labels))
        chances = add_weights(treated, held.concentration, seen.labels)
        half = pm.Data("prior_degrees_of_freedom", held.degrees_of_freedom) / 2
        rate = pm.Data("prior_scale", held.scale) / 2
        if tied:
            shared = pm.InverseGamma("shared_variance", alpha=half, beta=rate)
            variances = pm.Deterministic("variances", pt.broadcast_to(shared, (k,)), dims="component")
        else:
            variances = pm.InverseGamma("variances", alpha=half, beta=rate, dims="component", shape=(k,))
        deviations = pm.Deterministic("standard_deviations", pt.sqrt(variances), dims="component")
        coefficients = pm.CustomDist(
            "coefficients",
            pm.Data("prior_mean", np.array(held.mean), shape=(p,)),
            pm.Data("prior_root", np.array(held.root), shape=(p, p)),
            deviations,
            pm.Data("white_location", told.coefficients, shape=(p,)),
            pm.Data("white_factor", spread * told.turn, shape=(p, p)),
            pm.Data("white_back", told.turn_back / spread, shape=(p, p)),
            logp=prior_logp,
            random=prior_random,
            support_point=lambda rv, size, mean, *_: pt.broadcast_to(mean, rv.shape),
            signature="(p),(p,p),(),(p),(p,p),(p,p)->(p)",
            class_name="NormalGivenVariance",
            transform=means_transform(),
            dims=("component", "covariate"),
            shape=(k, p),
        )
        log_shares = pt.log(chances)
        if data.n_concomitants:
            log_shares = _add_gating(seen, held, log_shares)
        pm.CustomDist(
            "y",
            design,
            log_shares,
            coefficients,
            deviations,
            counted,
            known,
            logp=logp,
            random=random,
            signature="(p),(k),(k,p),(k),(),()->()",
            class_name="RegressionMixture",
            observed=observed,
        )
    return model


def _add_gating(seen: RegressionRows, prior: RegressionPrior, log_weights: Any) -> Any:
    """Add the gating coefficients to the model on the context stack, and return the log weights of the rows ``(n, K)``.

    Normal on the components' sum of 0, with ``sigma^2 (I - 11'/K)`` as covariance: two components differ by ``sqrt(2) sigma``.
    """
    import pymc as pm
    import pytensor.tensor as pt
    from pymc.distributions.transforms import Transform

    class Scaled(Transform):  # type: ignore[misc]  # PyMC has no types
        """In units of the prior, so that a sampler meets no unit of a concomitant."""

        name = "scaled"
        ndim_supp = 1

        def forward(self, value: Any, *inputs: Any) -> Any:
            return value / inputs[2]

        def backward(self, value: Any, *inputs: Any) -> Any:
            return value * inputs[2]

        def log_jac_det(self, value: Any, *inputs: Any) -> Any:
            return (pt.zeros_like(value) + pt.log(inputs[2])).sum(-1)

    assert prior.gating is not None
    model, m = pm.modelcontext(None), seen.n_concomitants
    model.add_coord("concomitant", seen.concomitant_names)
    beside = pm.Data("concomitants", np.array(seen.concomitants), shape=(None, m))
    average = pm.Data("average_concomitants", Regressors.of_concomitants(seen).centres[1:], shape=(m,))
    sigma = pm.Data("prior_gating", prior.gating / np.sqrt(2), shape=(m,))
    gates = pm.ZeroSumNormal(
        "gates", sigma=sigma[:, None], dims=("concomitant", "component"), n_zerosum_axes=1, transform=Scaled()
    )
    pm.Deterministic("gating", gates.T, dims=("component", "concomitant"))
    return pt.special.log_softmax(log_weights + (beside - average) @ gates, axis=-1)
