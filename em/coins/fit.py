"""Fit a mixture of coins by EM: `coin_mixture`, and what it refuses.

The steps are in `em.coins.steps`.
"""

from __future__ import annotations

from em.ascent.acceleration import Acceleration
from em.coins.mixture import CoinMixture, CoinStandardErrors
from em.elementwise import fit_elementwise
from em.fit import Fit, Method
from em.search.starts import Starts
from models.coins.nouns import CoinParameters, CoinPrior, CoinTosses
from models.mixtures import Weights


def coin_mixture(
    tosses: CoinTosses,
    n_components: int = 2,
    weights: Weights = "free",
    prior: CoinPrior | None = None,
    *,
    start: CoinParameters | None = None,
    seed: int = 0,
    method: Method = "em",
    acceleration: Acceleration = "auto",
    starts: Starts = "default",
) -> Fit[CoinParameters, CoinStandardErrors]:
    """Fit a mixture of coins by EM.

    Parameters
    ----------
    tosses : bags ``(n_bags,)``, with counts and known labels if there are any
    n_components : number of coins, K
    weights : ``"free"``, ``"equal"``, or ``(K,)`` values held fixed
    prior : maximise the log posterior under it; maximum likelihood where None
    start : where to start, its labelling kept; several starts and canonical order where None
    seed : of the random starts
    method : ``"em"``, or ``"nelder-mead"`` or ``"bfgs"`` to maximise the same objective directly
    acceleration : ``"newton"``, ``"squarem"`` or ``"anderson"`` make the steps of EM longer, and lower the objective by rounding
        at most; None leaves ``path[k]`` what k plain iterations give; ``"auto"`` is None below 1000 distinct rows, else
        ``"newton"`` where components and features are few, else ``"anderson"``
    starts : ``"thorough"`` tries four times as many starts, follows more of them to the end, and rearranges more of the optima

    Returns
    -------
    `em.Fit` with `models.CoinParameters`, in every case: ``status`` tells a boundary, saddle or ridge from a maximum

    Raises
    ------
    ValueError
        for bags fewer than coins, weights, labels or a start that do not fit, or a prior without a mode
    ObjectiveDecreased
        if the objective falls beyond rounding

    References
    ----------
    Do & Batzoglou (2008), Nature Biotechnology 26, 897.
    """
    return fit_elementwise(
        CoinMixture,
        "tosses",
        tosses,
        n_components,
        weights,
        prior,
        {},
        start=start,
        seed=seed,
        method=method,
        acceleration=acceleration,
        starts=starts,
    )
