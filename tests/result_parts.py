"""Parts of made-up results: quantities, draws, model checks and densities, with numbers worked out by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import xarray
from numpy.typing import NDArray

from comparisons.results.report_data import (
    Distance,
    GoodnessOfFit,
    ModelChecks,
    PowerScaling,
    PredictiveChecks,
    PredictiveCurve,
    PredictiveStatistic,
    PriorSensitivity,
    QuantilePlot,
)
from comparisons.results.result import (
    Exact,
    Gap,
    PosteriorSummary,
    Provenance,
    Quantity,
)

type Floats = NDArray[np.float64]

Z94 = 1.8808


def model_checks(rows: Floats, features: list[str], names: list[str]) -> ModelChecks:
    """Checks of a Gaussian model: the first feature departs, the second does not."""
    plots, curves = [], []
    for j, feature in enumerate(features):
        y = np.sort(rows[:, j])
        wide = 0.1 * (y[-1] - y[0])
        plots.append(
            QuantilePlot(
                feature, (1.01 * y).tolist(), y.tolist(), (y - wide).tolist(), (y + wide).tolist(), 0.95, 3 - j
            )
        )
        grid = np.linspace(y[0], y[-1], 50)
        shares = np.linspace(0, 1, 50)
        observed = np.searchsorted(y, grid, side="right") / len(y)
        curves.append(
            PredictiveCurve(
                "distribution",
                feature,
                grid.tolist(),
                observed.tolist(),
                shares.tolist(),
                (0.9 * shares).tolist(),
                (0.9 * shares + 0.1).tolist(),
            )
        )
    distances = [Distance(f"Anderson–Darling A² of {f}", 1.02 - j, None, 0.006, 0.006) for j, f in enumerate(features)]
    statistics = [PredictiveStatistic(f"smallest {f}", 1.6, 1.366, 1.104, 1.571, 0.013) for f in features]
    return ModelChecks(
        GoodnessOfFit("The distribution of eruptions departs from the fitted model.", distances, plots, 159, 2),
        PredictiveChecks("Replicated data do not reproduce 2 of 2.", statistics, curves, 1000, 0.94),
        PriorSensitivity(
            "Power-scaling the prior moves 1 posterior noticeably.",
            [
                PowerScaling(n, 0.104 if k == 0 else 0.01, 0.09, "potential prior-data conflict" * (k == 0))
                for k, n in enumerate(names)
            ],
            0.05,
        ),
    )


def quantity(name: str, em: float, se: float, draws: Floats, scale: Any) -> Quantity:
    """One quantity as EM and the draws have it."""
    mean, sd = float(draws.mean()), float(draws.std())
    low, high = interval(em, se, scale)
    hdi = np.quantile(draws, [0.03, 0.97])
    return Quantity(
        name=name,
        em=float(em),
        em_se=float(se),
        em_low=low,
        em_high=high,
        shift=(mean - float(em)) / sd,
        se_ratio=float(se) / sd,
        profile_low=low - 0.1 * (em - low),
        profile_high=high - 0.1 * (high - em),
        profile_reason=None,
        profile_coinciding=(name == "head_probabilities[A]", False),
        scale=scale,
        map=float(em) + 0.1 * se,
        posterior=PosteriorSummary(mean, sd, float(hdi[0]), float(hdi[1]), 0.94, 1012.3, 903.4, 1.0012, sd / 31.6),
        exact=Exact(mean, sd) if name == "head_probabilities[A]" else None,
        tail_below=float((draws < low).mean()),
        tail_above=float((draws > high).mean()),
        gap=Gap(0.1 * se, 0.0, mean - em - 0.1 * se, mean - em, False),
        verdict="agree",
        reason=f"the mean lies {abs(mean - em) / sd:.2f} sd from the estimate.",
    )


def interval(em: float, se: float, scale: str) -> tuple[float, float]:
    """Wald interval on the scale named."""
    if scale == "identity":
        return em - Z94 * se, em + Z94 * se
    if scale == "log":
        return em * math.exp(-Z94 * se / em), em * math.exp(Z94 * se / em)
    centre, width = math.log(em / (1 - em)), Z94 * se / (em * (1 - em))
    return 1 / (1 + math.exp(width - centre)), 1 / (1 + math.exp(-width - centre))


def tree(draws: dict[str, Floats], components: list[str], features: list[str] | None = None) -> xarray.DataTree:
    """Draws as the sampler's results hold them."""
    coords: dict[str, Any] = {"component": components}
    if features:
        coords |= {"feature": features, "feature_2": features}
    dims = ["chain", "draw", "component", "feature", "feature_2"]
    data = {name: (dims[: values.ndim], values) for name, values in draws.items()}
    return xarray.DataTree.from_dict({"posterior": xarray.Dataset(data, coords=coords)})


def provenance() -> Provenance:
    """A run that never was."""
    return Provenance(
        versions={"python": "3.13.1", "pymc": "6.4.0"},
        seed=2008,
        command="comparisons run two-coin",
        git_commit="0123456789abcdef0123456789abcdef01234567",
        started="2026-01-02T03:04:05+00:00",
        seconds={"em": 0.02, "sampling": 3.4, "checks": 1.25},
        key="ef" * 32,
    )


def binomial(heads: Floats, probability: float) -> Floats:
    """Probability of so many heads in ten tosses."""
    ways = np.array([math.comb(10, int(h)) for h in heads], dtype=np.float64)
    return np.asarray(ways * probability**heads * (1 - probability) ** (10 - heads))


def normal(x: Floats, mean: Any, sd: Any) -> Floats:
    """Normal density."""
    return np.asarray(np.exp(-(((x - mean) / sd) ** 2) / 2) / (sd * math.sqrt(2 * math.pi)))
