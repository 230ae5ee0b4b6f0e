"""Results made by hand, with draws from NumPy, for tests of what stores and reports them. Nothing is fitted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from comparisons.results.report_data import (
    Curves,
    Difference,
    Distance,
    DistributionFunction,
    Finding,
    GoodnessOfFit,
    Labels,
    ModelChecks,
    PowerScaling,
    PredictiveChecks,
    PredictiveCurve,
    PredictiveStatistic,
    PriorSensitivity,
    RowMemberships,
    Surface,
)
from comparisons.results.result import (
    NOTES,
    SCHEMA_VERSION,
    Check,
    Data,
    EMFit,
    ModeFound,
    Model,
    Sampler,
)
from comparisons.sampled import SampledResult
from tests.result_parts import binomial, model_checks, normal, provenance, quantity, tree

type Floats = NDArray[np.float64]


def two_coins() -> SampledResult:
    """Five bags of ten tosses; texts with characters that HTML and LaTeX take for their own."""
    rng = np.random.default_rng(1)
    lower, higher = rng.beta(17, 15, (4, 250)), rng.beta(24, 7, (4, 250))
    draws = {"head_probabilities": np.stack([np.minimum(lower, higher), np.maximum(lower, higher)], -1)}
    posterior = tree(draws, ["B", "A"])
    estimates = {"head_probabilities[B]": (0.51958312, 0.0951), "head_probabilities[A]": (0.79678907, 0.0779)}
    start = {"head_probabilities[B]": 0.5, "head_probabilities[A]": 0.6}
    iterations = list(range(15))
    grid = np.linspace(0.2, 0.98, 40)
    slope = np.subtract.outer(grid, [em for em, _ in estimates.values()]) / [se for _, se in estimates.values()]
    heads = np.arange(11.0)
    expected = 5 * (0.5 * binomial(heads, 0.51958312) + 0.5 * binomial(heads, 0.79678907))
    return SampledResult(
        schema_version=SCHEMA_VERSION,
        name="two-coin",
        title="Two coins, coin hidden <&>",
        question="Do EM & PyMC agree on which coin is biased where P(A) > P(B)?",
        verdict="differ",
        summary="Both fits are right, and 2 of 2 quantities have a posterior that a point & interval does not describe.",
        advice="Only in part. Report the posterior of head probability of component A & EM's numbers else.",
        reasons=["head_probabilities[A]: the mean lies 0.4 sd below the maximum.", "Few bags: 5 < 10."],
        data=Data(
            name="two_coin",
            source="Do, C. B. & Batzoglou, S. (2008). Nature Biotechnology 26, 897–899.",
            n=5,
            sha256="ab" * 32,
            description="five bags of ten tosses",
            unit="heads in ten tosses",
            columns={"heads": [5.0, 9.0, 8.0, 4.0, 7.0], "tosses": [10.0] * 5},
        ),
        model=Model(
            family="coins",
            n_components=2,
            component_names=["B", "A"],
            options={"weights": "equal"},
            formula=["coin[i] ~ Categorical(1/2, 1/2)", "heads[i] ~ Binomial(10, head_probabilities[coin[i]])"],
            prior=["head_probabilities[k] ~ Beta(1, 1)"],
            prior_reason="Uniform: nothing is added to the tosses.",
            unit_powers={},
            notes=dict.fromkeys(NOTES, "of coins ") | {"average": "chance_of_heads"},
        ),
        quantities=[
            quantity(name, em, se, draws["head_probabilities"][..., k], "logit")
            for k, (name, (em, se)) in enumerate(estimates.items())
        ],
        checks=[
            Check("same-density", "The densities are one function", "pass", 3e-15, 1e-10, "Largest difference."),
            Check("identified", "The parameters are identified", "not applicable", None, None, "Why < and & matter."),
            Check("best-mode", "No better mode", "fail", 0.2, 1e-6, "A draw led higher.", "em", "Use more starts."),
        ],
        em=EMFit(
            status="converged",
            iterations=14,
            log_likelihood=-9.5621,
            standard_error_reason=None,
            rate=0.37,
            trace_iterations=iterations,
            trace=[-9.5621 - 0.8 * 0.37**k for k in iterations],
            path={name: [em + (start[name] - em) * 0.6**k for k in iterations] for name, (em, _) in estimates.items()},
            modes=[
                ModeFound(-9.5621, 18, True, {name: em for name, (em, _) in estimates.items()}),
                ModeFound(-10.31, 2, False, {"head_probabilities[B]": 0.66, "head_probabilities[A]": 0.66}),
            ],
            map_status="converged",
            map_log_posterior=-9.5621,
        ),
        sampler=Sampler("nutpie", 4, 250, 1000, 0.9, 0, 0),
        curves=[
            Curves(
                kind="counts",
                variable="heads",
                grid=heads.tolist(),
                observed=[0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0, 1.0, 0.0],
                em=expected.tolist(),
                em_components=[
                    (2.5 * binomial(heads, 0.51958312)).tolist(),
                    (2.5 * binomial(heads, 0.79678907)).tolist(),
                ],
                posterior_mean=(0.95 * expected).tolist(),
                posterior_low=(0.6 * expected).tolist(),
                posterior_high=(1.4 * expected).tolist(),
                band_prob=0.94,
            )
        ],
        surface=Surface(
            x="head_probabilities[B]",
            y="head_probabilities[A]",
            x_grid=grid.tolist(),
            y_grid=grid.tolist(),
            values=[
                [None if x > 0.97 else float(-(u * u + v * v) / 2) for x, u in zip(grid, slope[:, 0], strict=True)]
                for v in slope[:, 1]
            ],
            note="Nothing is held fixed: these are all the parameters.",
        ),
        model_checks=ModelChecks(
            goodness_of_fit=GoodnessOfFit(
                "The head counts show no departure & X² < 9 (p = 0.9).",
                [Distance("Pearson X²", 2.27, 8, 0.915, 0.022)],
                [],
                159,
                0,
            ),
            predictive=PredictiveChecks(
                "Replicated data reproduce the statistic.",
                [PredictiveStatistic("smallest head count", 4.0, 4.02, 1.0, 7.0, 0.51)],
                [
                    PredictiveCurve(
                        "counts",
                        "heads",
                        heads.tolist(),
                        [0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0, 1.0, 0.0],
                        expected.tolist(),
                        [0.0] * 11,
                        (expected + 1).tolist(),
                    )
                ],
                1000,
                0.94,
            ),
            prior_sensitivity=PriorSensitivity(
                "Not applicable to this prior: it is uniform.",
                [PowerScaling(name, None, 0.0766, "") for name in estimates],
                0.05,
            ),
        ),
        labels=Labels(
            verdict="not told apart",
            sentence="The components cannot be told apart: order & ECR name them differently in 8.0% of the draws, more than 1%.",
            threshold=0.01,
            draws=1000,
            ordering_ecr=0.0795,
            ordering_stephens=0.0,
            ecr_stephens=0.0795,
            memberships=RowMemberships(
                list(range(5)),
                5,
                [[0.55, 0.03, 0.10, 0.73, 0.39], [0.45, 0.97, 0.90, 0.27, 0.61]],
                [[0.51, 0.09, 0.17, 0.66, 0.37], [0.49, 0.91, 0.83, 0.34, 0.63]],
            ),
            membership_difference=Difference("heads 8 of 10 <&>, component A", 0.27, 0.34),
            co_membership_difference=Difference("heads 5 of 10; heads 9 of 10", 0.141, 0.271),
            distribution=[DistributionFunction("heads", 7.0, 0.6, 0.631, 0.656, 0.408, 0.892, 0.94)],
        ),
        findings=[Finding("Are there two coins at all?", "Hardly: twice the gain in log-likelihood is 0.9 < 3.84.")],
        seed=2008,
        provenance=provenance(),
        posterior=posterior,
    )


def geyser() -> SampledResult:
    """Two Gaussian clusters of eruptions and waiting times, standard errors withheld for one quantity."""
    rng = np.random.default_rng(2)
    weights = np.array([0.36, 0.64])
    means = np.array([[2.04, 54.5], [4.29, 79.97]])
    covariances = np.array([[[0.07, 0.44], [0.44, 33.7]], [[0.17, 0.94], [0.94, 36.0]]])
    n = 272
    component = rng.choice(2, n, p=weights)
    rows = np.array([rng.multivariate_normal(means[k], covariances[k]) for k in component])
    shape = (4, 250)
    first_weight = rng.beta(97, 175, shape)
    draws: dict[str, Floats] = {
        "weights": np.stack([first_weight, 1 - first_weight], -1),
        "means": means + rng.normal(size=(*shape, 2, 2)) * [0.03, 0.6],
        "covariances": covariances * rng.gamma(90, 1 / 90, (*shape, 2, 1, 1)),
    }
    draws["standard_deviations"] = np.sqrt(np.diagonal(draws["covariances"], axis1=-2, axis2=-1))
    names, features = ["short", "long"], ["eruptions", "waiting"]
    quantities = [
        quantity(f"weights[{c}]", weights[k], 0.029, draws["weights"][..., k], "logit") for k, c in enumerate(names)
    ]
    for k, c in enumerate(names):
        for j, f in enumerate(features):
            quantities.append(
                quantity(f"means[{c}, {f}]", means[k, j], (0.03, 0.6)[j], draws["means"][..., k, j], "identity")
            )
    for k, c in enumerate(names):
        for i, j in ((0, 0), (0, 1), (1, 1)):
            quantities.append(
                quantity(
                    f"covariances[{c}, {features[i]}, {features[j]}]",
                    covariances[k, i, j],
                    0.11 * covariances[k, i, j],
                    draws["covariances"][..., k, i, j],
                    "log" if i == j else "identity",
                )
            )
    quantities[-1] = replace(
        quantities[-1],
        em_se=None,
        em_low=None,
        em_high=None,
        profile_low=None,
        profile_high=1.07 * quantities[-1].em if quantities[-1].em is not None else None,
        profile_reason="no lower end: below 3.1 no maximum is regular",
        tail_below=None,
        tail_above=None,
        gap=None,
        verdict="inconclusive",
        reason="no interval: the standard error is withheld at a boundary.",
    )
    curves = []
    for j, f in enumerate(features):
        grid = np.linspace(rows[:, j].min() - 1, rows[:, j].max() + 1, 120)
        parts = weights[:, None] * normal(grid, means[:, j, None], np.sqrt(covariances[:, j, j, None]))
        total = parts.sum(0)
        curves.append(
            Curves(
                "density",
                f,
                grid.tolist(),
                None,
                total.tolist(),
                parts.tolist(),
                (total * 0.98).tolist(),
                (total * 0.9).tolist(),
                (total * 1.1).tolist(),
                0.94,
            )
        )
    x_grid, y_grid = np.linspace(1.9, 2.2, 30), np.linspace(4.1, 4.5, 30)
    return replace(
        two_coins(),
        name="faithful-2d",
        title="Old Faithful: eruptions and waiting times",
        verdict="agree",
        summary="EM with its standard errors is an adequate summary of the posterior.",
        advice="Yes, its estimates with Wald intervals.",
        data=Data(
            "faithful",
            "Härdle, W. (1991).",
            n,
            "cd" * 32,
            "272 eruptions",
            "minutes",
            {f: [float(value) for value in rows[:, j]] for j, f in enumerate(features)},
        ),
        model=Model(
            "gaussians",
            2,
            names,
            {"covariance": "full", "weights": "free"},
            ["y[i] ~ sum_k weights[k] Normal(means[k], covariances[k])"],
            ["weights ~ Dirichlet(1, 1)"],
            "Weak.",
            dict.fromkeys(features, 1) | {"means": 1, "standard_deviations": 1, "covariances": 2},
            dict.fromkeys(NOTES, "of normals "),
        ),
        quantities=quantities,
        curves=curves,
        labels=replace(
            two_coins().labels,
            verdict="told apart",
            sentence="The components can be told apart.",
            ordering_ecr=0.0,
            ecr_stephens=0.0,
            memberships=RowMemberships(
                [0, 90, 181, 271],
                n,
                [[1.0, 0.9, 0.0, 0.2], [0.0, 0.1, 1.0, 0.8]],
                [[1.0, 0.8, 0.0, 0.3], [0.0, 0.2, 1.0, 0.7]],
            ),
        ),
        surface=Surface(
            "means[short, eruptions]",
            "means[long, eruptions]",
            x_grid.tolist(),
            y_grid.tolist(),
            [[-((x - 2.04) ** 2 / 0.0018 + (y - 4.29) ** 2 / 0.0018) for x in x_grid] for y in y_grid],
            "The other parameters are held at EM's estimate.",
        ),
        model_checks=model_checks(rows, features, [q.name for q in quantities]),
        em=replace(
            two_coins().em,
            log_likelihood=-1130.264,
            trace=[-1130.264 - 90 * 0.4**k for k in range(15)],
            path={q.name: [q.em + 0.05 * 0.5**k if q.em is not None else None for k in range(15)] for q in quantities},
            modes=[ModeFound(-1130.264, 20, True, {q.name: q.em for q in quantities})],
        ),
        posterior=tree(draws, names, features),
    )
