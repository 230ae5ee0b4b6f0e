"""Check 5: the chains have mixed, and no draw is a copy of another."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from comparisons.checks.map_agrees import TO_ORDER
from comparisons.checks.repeated_draws import repeated
from comparisons.engine_failures import EngineFailure
from comparisons.posterior.nuts import ESS, R_HAT, diverging, low_chain
from comparisons.quantity_names import in_prose, listed
from comparisons.results.result import Check
from comparisons.results.strict_json import number
from models.inputs import Floats

if TYPE_CHECKING:
    import xarray as xr


CONVERGED = "The sampler has converged"
E_BFMI = 0.3
# Two chains of a correct sampler never agree to this; copies do.
COPIED = 0.99
# Of very many rows, see `comparisons.posterior.nuts.MANY_ROWS`.
NEAR = (
    "Rows are so many that a chain from elsewhere stays where it begins, so chains began around EM's posterior mode, twice as "
    "wide as the posterior, and take steps scaled by the curvature there. EM's search and PyMC's optimiser began elsewhere, too. "
)


def all_finite(tree: xr.DataTree) -> None:
    """See that every draw is a number, without which nothing can be made of them.

    Raises
    ------
    EngineFailure
        with a check that names a variable and counts its draws
    """
    drawn: dict[Any, Any] = {**tree["posterior"].to_dataset().data_vars, "logp": tree["sample_stats"]["logp"]}
    for name, variable in drawn.items():
        missing = int((~np.isfinite(variable.values)).sum())
        if missing:
            text = f"{missing} of {variable.size} values that were drawn of {name} are not finite numbers."
            remedy = "Look at the model's density and gradient near the draws before."
            raise EngineFailure(
                Check("sampler-converged", CONVERGED, "inconclusive", None, R_HAT, text, "sampler", remedy)
            )


def sampler_converged(
    summary: Any,
    tree: xr.DataTree,
    label_free: dict[str, Floats],
    reruns: int,
    regular_modes: int,
    posterior: xr.Dataset,
    apart: float | None = None,
    *,
    near: bool = False,
    ordered: bool = True,
    lower: Mapping[int, float] = MappingProxyType({}),
) -> Check:
    """Chains have mixed, on canonical draws and on quantities free of labels, and no draw is a copy of another.

    ``apart``: the largest R-hat of chains of NUTS that stayed in different modes, if these chains jump. ``near``: chains began
    around EM's posterior mode. ``ordered``: components that can change places were put into an order. ``lower``: chains from
    whose draws EM leads to lower modes alone, and by how many nats.
    """
    title = CONVERGED
    draws = tree["posterior"].to_dataset()
    statistics = tree["sample_stats"].to_dataset()
    divergences = int(diverging(statistics).sum())
    energy = statistics["energy"].values
    with np.errstate(invalid="ignore"):
        bfmi = float(((np.diff(energy, axis=1) ** 2).mean(axis=1) / energy.var(axis=1)).min())
    r_hat, ess = (
        float(summary["r_hat"].max(skipna=False)),
        float(np.min([summary["ess_bulk"].min(skipna=False), summary["ess_tail"].min(skipna=False)])),
    )
    worst = str(summary["r_hat"].idxmax()) if np.isfinite(r_hat) else "some quantity"
    problems = []
    if not r_hat <= R_HAT:
        problems.append(f"R-hat of {in_prose(worst)} is {r_hat:.3f}, above {R_HAT}")
    if not ess >= ESS:
        problems.append(f"the smallest effective sample size is {ess:.0f}, below {ESS}")
    empty = [str(column) for column in summary.columns if column != "r_hat" and summary[column].isna().any()]
    if empty:
        problems.append(f"{' and '.join(empty)} of some quantity is not a number")
    if divergences:
        problems.append(f"{divergences} transitions diverged")
    if not bfmi >= E_BFMI:
        problems.append(f"E-BFMI is {bfmi:.2f}, below {E_BFMI}")
    missing = [name for name, drawn in label_free.items() if np.isnan(drawn).any()]
    if missing:
        problems.append(f"{' and '.join(missing)} is not a number at some draws")
    copies = copied_chains(label_free)
    if copies:
        problems.append(f"chains {copies[0]} and {copies[1]} are copies of one another")
    again_drawn = repeated(posterior, np.asarray(statistics["logp"].transpose("chain", "draw").values))
    if again_drawn:
        problems.append(again_drawn)
    chains, kept = draws.sizes["chain"], draws.sizes["draw"]
    again = (
        f" after {reruns} rerun{'s' if reruns > 1 else ''} with more draws, other starts or a higher acceptance target"
        if reruns
        else ""
    )
    if problems:
        sentence = "; ".join(problems)
        modes, remedy = "", "Try more draws, or a higher acceptance target."
        if regular_modes > 1 and not r_hat <= R_HAT:
            remedy = (
                "Try a sampler that moves between modes, or a prior or number of components under which one mode dominates; more "
                "draws help only where the chains do move."
            )
            modes = f" EM knows {regular_modes} regular modes of the posterior; chains that stay in different ones never meet."
        if not ordered and not modes and not r_hat <= R_HAT and summary["r_hat"].get("log_density", np.nan) <= R_HAT:
            remedy = TO_ORDER
            modes = (
                " The log density has mixed: chains stay at places of one height, as where components change places (label "
                "switching) and nothing puts them in order."
            )
        low = low_chain(tree)
        if low is not None and low[0] in lower and not modes:
            remedy = (
                "Compare other numbers of components: such modes are common where the data have more or fewer than the model. "
                "More draws do not help, and a chain that stays at a lower mode says nothing of the posterior."
            )
            told = listed([f"{below:.3g} nats for chain {chain}" for chain, below in lower.items()])
            modes = f" Chains stay at different modes: EM, begun at their draws, ends below the best mode by {told}."
        if low is not None and not modes:
            remedy = "Start the chains nearer to the data, or let them warm up for longer."
            modes = (
                f" Chain {low[0]} stays {low[1]:.3g} nats below the best one: it has not come to where the posterior is, most "
                "often since one of its components was left without rows on the way."
            )
        return Check(
            "sampler-converged",
            title,
            "inconclusive",
            number(r_hat),
            R_HAT,
            f"{sentence[0].upper()}{sentence[1:]}{again}. What the chains say of the posterior cannot be relied on.{modes}",
            "sampler",
            remedy,
        )
    jumping = NEAR if near else ""
    if apart is not None:
        jumping = (
            f"Chains of NUTS stayed in different modes (largest R-hat {apart:.3f}). Chains that also jump between the modes "
            f"that EM knows met; {statistics['jumped'].values.mean():.0%} of their jumps were taken. "
        )
    return Check(
        "sampler-converged",
        title,
        "pass",
        r_hat,
        R_HAT,
        f"{jumping}{chains} chains of {kept} draws{again}: largest R-hat {r_hat:.4f} ({in_prose(worst)}), "
        f"smallest effective sample size {ess:.0f}, no divergences, "
        f"E-BFMI {bfmi:.2f}, no draw twice; on canonical draws and the log density.",
    )


def copied_chains(label_free: dict[str, Floats]) -> tuple[int, int] | None:
    """The first two chains whose draws of a label-free quantity are the same but for noise, else None."""
    for values in label_free.values():
        for one in range(len(values)):
            for other in range(one):
                if np.std(values[one]) == 0 or abs(np.corrcoef(values[one], values[other])[0, 1]) > COPIED:
                    return other, one
    return None
