"""The latent variable of a program: which component a row of its mixture is of, with its complete-data log density."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import logsumexp

from models.inputs import Floats

if TYPE_CHECKING:
    import pymc as pm

# What a mixture may be of: rows along the first axis of its observed values.
KIND = "MixtureRV"


@dataclass(frozen=True, slots=True, eq=False)
class Latent:
    """The components of the rows of a program's mixture.

    Attributes
    ----------
    parts : of the parameters in the program's order, ``(n, K)`` log weights and log densities of each row in each component, and
        the log density of all else that is observed
    names : of the parameters, in the program's order
    """

    parts: Callable[..., Any]
    names: tuple[str, ...]

    def densities(self, values: dict[str, Floats]) -> tuple[Floats, Floats, float]:
        """See ``parts``."""
        weights, rows, rest = self.parts(*(values[name] for name in self.names))
        return np.broadcast_to(weights, np.shape(rows)), np.asarray(rows), float(rest)

    def responsibilities(self, values: dict[str, Floats], *, weighted: bool = True) -> Floats:
        """``(n, K)`` chance of each component given the row; without the weights where not ``weighted``."""
        weights, rows, _ = self.densities(values)
        joint = weights + rows if weighted else rows
        return np.asarray(np.exp(joint - logsumexp(joint, axis=1, keepdims=True)))

    def expected(self, values: dict[str, Floats], r: Floats) -> float:
        """Complete-data log density, expected under ``r`` ``(n, K)``: what the M-step maximises; -inf where there is none."""
        from pymc.logprob.utils import ParameterValueError

        try:
            weights, rows, rest = self.densities(values)
        except ParameterValueError:
            return -np.inf
        terms = np.where(r > 0, r * np.where(r > 0, weights + rows, 0.0), 0.0)
        return float(terms.sum()) + rest


def latent_of(program: pm.Model) -> Latent | None:
    """The one mixture of a program, its rows independent given the parameters; None where there is none, or several."""
    import pytensor
    import pytensor.tensor as pt
    from pymc.logprob.basic import logp

    mixtures = [v for v in program.observed_RVs if type(v.owner.op).__name__ == KIND]
    if len(mixtures) != 1:
        return None
    (mixture,) = mixtures
    _, weights, *components = mixture.owner.inputs
    value = program.rvs_to_values[mixture]
    if len(components) == 1:
        axis = -components[0].owner.op.ndim_supp - 1
        rows = logp(components[0], pt.expand_dims(value, axis))
    else:
        rows = pt.stack([logp(component, value) for component in components], axis=-1)
    if rows.ndim != 2:
        return None
    others = [v for v in program.observed_RVs if v is not mixture]
    rest = sum((logp(v, program.rvs_to_values[v]).sum() for v in others), pt.constant(np.float64(0)))
    parts = pytensor.function(
        list(program.free_RVs), [pt.log(weights), rows, rest], mode="FAST_COMPILE", on_unused_input="ignore"
    )
    return Latent(parts, tuple(str(v.name) for v in program.free_RVs))
