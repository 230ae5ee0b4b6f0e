"""What is read off a program: what was observed, and its log-likelihood and log prior."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pymc as pm


def observed(program: pm.Model) -> dict[str, Any]:
    """Observed values by the name of their variable."""
    return {str(v.name): _known(program.rvs_to_values[v]) for v in program.observed_RVs}


def _known(value: Any) -> Any:
    """What a constant or a data variable is, or what something made of them comes to."""
    from pytensor.graph.basic import Constant

    if isinstance(value, Constant):
        return np.asarray(value.data)
    return value.get_value() if hasattr(value, "get_value") else np.asarray(value.eval())


def densities_of(program: pm.Model) -> Any:
    """Log-likelihood and log prior, potentials among it, as one function of the parameters on their natural scale."""
    import pytensor
    import pytensor.tensor as pt
    from pymc.logprob.basic import conditional_logp
    from pytensor.graph.replace import clone_replace

    values = {v: v.clone() for v in program.free_RVs}
    terms = conditional_logp(values | {v: program.rvs_to_values[v] for v in program.observed_RVs})
    counted = clone_replace(list(program.potentials), values) if program.potentials else []
    of_rows = {program.rvs_to_values[v] for v in program.observed_RVs}
    zero = pt.constant(np.float64(0))
    likelihood = sum((term.sum() for value, term in terms.items() if value in of_rows), zero)
    prior = sum(
        (term.sum() for term in [*(term for value, term in terms.items() if value not in of_rows), *counted]), zero
    )
    return pytensor.function(list(values.values()), [likelihood, prior], mode="FAST_COMPILE", on_unused_input="ignore")
