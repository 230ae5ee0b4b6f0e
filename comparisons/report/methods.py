"""The figure of all methods: how far each is off, as a share of what the verdict allows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comparisons.methods.record import Method, Methods, share_of, share_of_tail
from comparisons.report.appearance import DATA, EM, MAP, POSTERIOR, Illustration
from comparisons.report.charts import chart, styled
from comparisons.report.digits import percent, rounded

if TYPE_CHECKING:
    from altair import LayerChart

NAME = "methods"
# In units of a limit: what is less is not seen, and what is more is far too much.
LEAST, MOST = 0.01, 100.0
WIDTH, ROW = 420, 30
KINDS = {"mean": (POSTERIOR, "circle"), "spread": (MAP, "square"), "tails": (EM, "triangle-up")}


def figures_of_methods(methods: Methods | None) -> list[Illustration]:
    """Return the figure, where methods were compared."""
    if methods is None:
        return []
    return [
        Illustration(
            name=NAME,
            title="How far is each method off?",
            caption=(
                "A row for each method, in the quantity where it is worst off: mean, spread and tails, each as a share of "
                f"what the verdict allows, and at most {MOST:g}. Right of the line, at 1, a method is off, slightly or more."
            ),
            alt=_alt(methods),
            figure=_chart(methods),
        )
    ]


def limits_told(methods: Methods) -> str:
    """Return what the verdict on a method means."""
    asked = methods.limits
    (low, high), (least, most) = asked.se_ratio, asked.tail
    held = " to ".join(percent(share, 0) for share in asked.slight_share)
    return (
        f"Good enough: for every quantity the mean is within {asked.shift:g} posterior SDs, the SD is {low:g} to {high:g} times "
        f"the posterior's, and {percent(least, 0)} to {percent(most, 0)} of the posterior lies beyond each end of the 94 % "
        f"interval. Slightly off: the interval holds {held} of the posterior, and the mean is within {asked.slight_shift:g} SDs. "
        "Chains have met, too. Numbers are on the logit scale for a probability and on the log scale for a positive number."
    )


def shares(methods: Methods, each: Method) -> dict[str, float]:
    """Return how far a method is off in mean, spread and tails, each as a share of its limit; what it has not is left out."""
    asked, found = methods.limits, {}
    if each.mean is not None:
        found["mean"] = abs(each.mean) / asked.shift
    if each.sd_ratio is not None:
        found["spread"] = share_of(each.sd_ratio, asked.se_ratio)
    if each.tail is not None:
        found["tails"] = share_of_tail(each.tail, asked)
    return found


def _alt(methods: Methods) -> str:
    told = []
    for each in methods.methods:
        off = ", ".join(f"{kind} {rounded(share, 2)}" for kind, share in shares(methods, each).items())
        told.append(f"{each.name}: {off or 'nothing'}")
    return f"Distance from the posterior, 1 being the limit. {'; '.join(told)}."


def _chart(methods: Methods) -> LayerChart:
    import altair as alt

    names = [each.name for each in methods.methods if shares(methods, each)]
    rows = [
        {"method": each.name, "kind": kind, "share": min(max(share, LEAST), MOST)}
        for each in methods.methods
        for kind, share in shares(methods, each).items()
    ]
    y = alt.Y("method:N").scale(domain=names).axis(title=None, ticks=False, labelLimit=0)
    looks = list(KINDS.values())
    x = alt.X("share:Q").scale(type="log", domain=[LEAST, MOST]).axis(format="~g").title("share of the limit")
    layers = [
        chart([{"at": 1.0}]).mark_rule(color=DATA).encode(x=alt.X("at:Q")),
        chart(rows)
        .mark_point(filled=True, size=60, opacity=1)
        .encode(
            x=x,
            y=y,
            color=alt.Color("kind:N").scale(domain=list(KINDS), range=[colour for colour, _ in looks]),
            shape=alt.Shape("kind:N").scale(domain=list(KINDS), range=[shape for _, shape in looks]),
            tooltip=[alt.Tooltip("method:N"), alt.Tooltip("kind:N"), alt.Tooltip("share:Q", format=".2f")],
        ),
    ]
    return styled(layers, _alt(methods), width=WIDTH, height=ROW * len(names))
