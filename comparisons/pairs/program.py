"""What is read off a program: what was observed, and its log prior."""

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


def prior_density(program: pm.Model) -> Any:
    """The program's log prior as a function of its parameters on their natural scale."""
    import pytensor
    from pymc.logprob.basic import conditional_logp

    values = {v: v.clone() for v in program.free_RVs}
    terms = conditional_logp(values).values()
    potentials = program.replace_rvs_by_values(list(program.potentials)) if program.potentials else []
    assert not potentials
    total = sum(term.sum() for term in terms)
    return pytensor.function(list(values.values()), total, mode="FAST_COMPILE", on_unused_input="ignore")
