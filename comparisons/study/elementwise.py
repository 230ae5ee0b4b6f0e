"""What is broken of families whose parameters are numbers, one of each a component: the same for all of them."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np

from models.inputs import Floats

# Outcomes this near to each other, in the units of the settings, are taken for one.
NEAR = 0.5


def near(columns: Floats) -> Floats:
    """By what rows are taken for one: what was observed, whatever stands beside it."""
    return np.round(columns[:, :1] / NEAR)


def neighbour(columns: Floats) -> Floats:
    """Three more in the first row."""
    changed = np.array(columns)
    changed[0, 0] += 3
    return changed


def all_equal(p: Any) -> Any:
    """Every component at the average of all."""
    own = {each.name: getattr(p, each.name) for each in fields(p) if each.name != "weights"}
    return type(p)(p.weights, **{name: np.full(len(p.weights), p.weights @ values) for name, values in own.items()})


def of_everyone(statistics: Any) -> Any:
    """Statistics with which the M-step divides by all that it divides by, instead of each component's own."""
    features = np.array(statistics.features)
    features[..., -1] = features[..., -1].sum(axis=-1, keepdims=True)
    return replace(statistics, features=features)


def own_axes(mixture: Any) -> dict[str, int]:
    """Where the component's axis stands in parameters of a component alone, counted from the end."""
    return dict.fromkeys(mixture.domains, 1)


def other_prior(prior: Any) -> Any:
    """One event more."""
    return replace(prior, shape=prior.shape + 1)


# With which the mode is that of log rates.
prior_on_other_scale = other_prior
