"""Claims about what the figures need."""

from __future__ import annotations

from comparisons.summary import curves
from models import WaitingTimes
from tests.declared import declare


def test_a_surface_stays_off_the_bounds_however_wide_the_draws_are() -> None:
    """Of few waits a rate may be near 0, and a margin about its draws below."""
    problem = declare(WaitingTimes([3.0, 1.0, 5.0, 2.0]), 2)
    fit = problem.fit(problem.prior)
    reach = {"rates[1]": (-0.1, 0.9), "rates[2]": (0.0, 3.0)}
    surface = curves.surface(
        problem, problem.log_likelihood, reach, lambda changed: problem.varied(fit.parameters, changed)
    )
    assert surface is not None
    assert min(surface.x_grid) > 0
    assert min(surface.y_grid) > 0
    assert max(surface.x_grid) == 0.9
    assert all(value is not None for row in surface.values for value in row)
