"""Where a likelihood has a limit and no maximum: a positive parameter that goes to infinity or 0, and takes nothing with it."""

from __future__ import annotations

from typing import Any

import numpy as np

from em.mixture import Mixture, evaluated

# Logarithms that stand for 0 and infinity, logarithms almost there, and nats: where the objective at both is the same to so
# many, it has a limit there, as that of a t distribution has with ever more degrees of freedom.
END, NEAR_END, LIMIT = 40.0, 30.0, 1e-6


def towards_limits(mixture: Mixture[Any, Any], parameters: Any) -> list[str]:
    """What goes to 0 or infinity, where the objective is as high as it is at the parameters, each as a clause."""
    vector, gone = mixture.to_vector(parameters), []
    for j, (name, scale) in enumerate(zip(mixture.names(), mixture.scales(), strict=True)):
        if scale != "log":
            continue
        points = np.repeat(vector[None], 5, axis=0)
        points[1:, j] = np.exp([NEAR_END, END, -NEAR_END, -END])
        here, near_infinity, infinity, near_0, at_0 = evaluated(mixture, mixture.from_vector(points))[1]
        up = infinity >= here - LIMIT and abs(infinity - near_infinity) <= LIMIT
        down = at_0 >= here - LIMIT and abs(at_0 - near_0) <= LIMIT
        # On what is flat both ways nothing depends, as of a component without weight.
        if up != down:
            gone.append(f"{name} goes to {'infinity' if up else '0'}")
    return gone
