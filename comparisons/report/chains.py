"""Figure of the draws by chain: pairs of quantities, or one along its chain, as the reader chooses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from comparisons.draws_by_name import draws_of
from comparisons.quantity_names import in_prose
from comparisons.report.appearance import CHAINS, Illustration, short, shown, thinned
from comparisons.report.charts import chart, styled
from comparisons.report.digits import rounded
from comparisons.results.result import Result

if TYPE_CHECKING:
    import altair as alt
    import xarray

# Pixels.
WIDTH, HEIGHT = 460, 320
# Draws of all chains, and numbers of all quantities, so that a page stays small.
MOST_DRAWS, MOST_NUMBERS = 1200, 15_000
SHAPES = ("circle", "square", "triangle-up", "diamond")
NUMBER = "number of the draw"


def figures_of_chains(result: Result, posterior: xarray.DataTree) -> list[Illustration]:
    """Return the figure, or nothing where the posterior has no draws of any quantity."""
    found = [(quantity, draws_of(posterior, quantity.name)) for quantity in result.quantities]
    known = [(quantity, draws) for quantity, draws in found if draws is not None and np.isfinite(draws).all()]
    if not known:
        return []
    names = [quantity.name for quantity, _ in known]
    draws = np.stack([each for _, each in known], axis=-1)
    preferred = [result.surface.x, result.surface.y] if result.surface else names[:2]
    pair = [names.index(name) for name in preferred if name in names]
    total = draws.shape[0] * draws.shape[1]
    most = min(MOST_DRAWS, max(1, MOST_NUMBERS // len(names)))
    alt = "Draws of each pair of quantities by chain, which overlap where the chains agree: " + "; ".join(
        f"{in_prose(quantity.name)}, R-hat {rounded(quantity.posterior.r_hat, 3)}" for quantity, _ in known
    )
    return [
        Illustration(
            name="chains",
            title="Draws by chain",
            caption=(
                f"Two quantities in {shown(total, most)}. Chains that explore the same posterior cover one another; "
                "one that stays by itself has found another mode, or is stuck."
            ),
            alt=f"{alt}.",
            figure=styled(
                _layers(names, draws, pair if len(pair) == 2 else [-1, 0], most), f"{alt}.", width=WIDTH, height=HEIGHT
            ),
        )
    ]


def _layers(names: list[str], draws: Any, pair: list[int], most: int) -> list[alt.Chart]:
    import altair as alt

    n_chains, n_draws, _ = draws.shape
    each = thinned(n_chains * n_draws, most)
    rows = [
        {"chain": f"chain {place // n_draws + 1}", "q-1": place % n_draws + 1}
        | {f"q{k}": float(f"{value:.4g}") for k, value in enumerate(values)}
        for place, values in zip(
            range(n_chains * n_draws)[each], draws.reshape(n_chains * n_draws, -1)[each], strict=True
        )
    ]
    chains = [f"chain {chain + 1}" for chain in range(n_chains)]
    colours = [CHAINS[chain % len(CHAINS)] for chain in range(n_chains)]
    shapes = [SHAPES[(chain + chain // len(CHAINS)) % len(SHAPES)] for chain in range(n_chains)]
    titles = [{"key": f"q{k}", "told": told} for k, told in enumerate([NUMBER, *map(in_prose, names)], start=-1)]
    titles = [{"key": each["key"], "told": short(each["told"])} for each in titles]
    across, up = (
        alt.param(
            name=name,
            value=f"q{chosen}",
            bind=alt.binding_select(
                options=[each["key"] for each in choices], labels=[each["told"] for each in choices], name=f"{told} "
            ),
        )
        for name, told, chosen, choices in (
            ("across", "Horizontal", pair[0], titles),
            ("up", "Vertical", pair[1], titles[1:]),
        )
    )
    seen = alt.selection_point(
        name="seen",
        fields=["chain"],
        bind="legend",
        toggle="true",
        empty=False,
        value=[{"chain": chain} for chain in chains],
    )
    title = chart(titles)
    return [
        chart(rows)
        .transform_calculate(x="datum[across]", y="datum[up]")
        .mark_point(filled=True, opacity=1, size=16, strokeWidth=0)
        .encode(
            x=alt.X("x:Q").scale(zero=False).title(None),
            y=alt.Y("y:Q").scale(zero=False).title(None),
            color=alt.Color("chain:N").scale(domain=chains, range=colours),
            shape=alt.Shape("chain:N").scale(domain=chains, range=shapes),
            fillOpacity=alt.when(seen).then(alt.value(0.55)).otherwise(alt.value(0)),
        )
        .add_params(across, up, seen),
        title.transform_filter("datum.key == across")
        .mark_text(baseline="top")
        .encode(x=alt.value(WIDTH / 2), y=alt.value(HEIGHT + 24), text=alt.Text("told:N")),
        title.transform_filter("datum.key == up")
        .mark_text(baseline="bottom", angle=270)
        .encode(x=alt.value(-48), y=alt.value(HEIGHT / 2), text=alt.Text("told:N")),
    ]
