"""How every figure looks: one colour each for EM, MAP and the posterior, and files that are the same for the same result."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from comparisons.quantity_names import variable_and_labels
from comparisons.results.result import Result

if TYPE_CHECKING:
    from altair import LayerChart
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe & Ito (2008), told apart with every common colour blindness; line style or marker differ as well.
EM = "#d55e00"
MAP = "#009e73"
POSTERIOR = "#0072b2"
DATA = "#7a7a7a"
DATA_FILL = "#d4d4d4"
INK = "#222222"
# Chains are told apart among themselves alone; a fifth repeats the first colour with another line.
CHAINS = ("#0072b2", "#e69f00", "#cc79a7", "#000000")
LINES = ("-", "--", "-.", ":")
# Components have the colours of Okabe & Ito that no engine has. Dashes and markers begin again after another number, so that
# colour and dash, or colour and marker, are together those of one in twenty.
_COMPONENT_COLOURS = ("#e69f00", "#cc79a7", "#000000", "#56b4e9")
_COMPONENT_DASHES: tuple[tuple[float, ...], ...] = ((1, 1.2), (5, 1.5), (5, 1.5, 1, 1.5), (9, 2), (3, 1, 1, 1, 1, 1))
_COMPONENT_MARKERS = ("o", "^", "s", "D", "v")

# The figure that stands first on a page, and small in the index.
FIRST = "forest"
# Inches; the page shows a figure at most this wide.
WIDTH = 7.4

_STYLE: dict[str, Any] = {
    "axes.edgecolor": "#666666",
    "axes.labelcolor": INK,
    "axes.labelsize": 9,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 9,
    "figure.facecolor": "white",
    "font.size": 9,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "savefig.facecolor": "white",
    "text.color": INK,
    "xtick.color": INK,
    "xtick.labelsize": 8,
    "ytick.color": INK,
    "ytick.labelsize": 8,
    # The same result gives the same bytes: names inside an SVG are drawn from this salt, not from chance.
    "svg.hashsalt": "comparisons",
    "svg.fonttype": "none",
}


_OF_THE_PAGE = {
    INK: "currentColor",
    "#000000": "currentColor",
    "#ffffff": "var(--paper)",
    DATA_FILL: "var(--line)",
    POSTERIOR: "var(--posterior)",
}

# Characters of a name in a figure.
LONGEST_NAME = 48


@dataclass(frozen=True, slots=True)
class Illustration:
    """One figure of a report; ``alt`` says in a sentence what a reader who cannot see it should know.

    ``figure``: a picture, or a chart to explore (`comparisons.report.charts`).
    """

    name: str
    title: str
    caption: str
    alt: str
    figure: Figure | LayerChart


@dataclass(frozen=True, slots=True)
class ComponentLook:
    """How a component looks in every figure of a report; ``label`` names it in a legend."""

    colour: str
    dash: tuple[float, tuple[float, ...]]
    marker: str
    label: str


def component_looks(result: Result) -> dict[str, ComponentLook]:
    """Return the look of each component, by name, in the order of the components."""
    return {
        name: ComponentLook(
            _COMPONENT_COLOURS[k % len(_COMPONENT_COLOURS)],
            (0, _COMPONENT_DASHES[k % len(_COMPONENT_DASHES)]),
            _COMPONENT_MARKERS[k % len(_COMPONENT_MARKERS)],
            f"component {drawn(name)}",
        )
        for k, name in enumerate(result.model.component_names)
    }


@contextmanager
def style() -> Iterator[None]:
    """Draw and save within this, whatever the settings outside."""
    import matplotlib

    settings: Any = {key: value for key, value in matplotlib.rcParamsDefault.items() if key != "backend"}
    with matplotlib.rc_context(settings | _STYLE), warnings.catch_warnings():
        # A script that the font has not is drawn as boxes; page and tables have it.
        warnings.filterwarnings("ignore", message="(?s)Glyph .* missing from font")
        yield


def of_the_page(figure: str) -> str:
    """Return the figure with the page's own colours for those that the dark would swallow, or that would glare in it."""
    for colour, own in _OF_THE_PAGE.items():
        figure = figure.replace(colour, own)
    return figure


def add_legend(figure: Figure, axes: Axes) -> None:
    """Name each kind of mark once, above the figure, small ones large enough to be seen."""
    from matplotlib.lines import Line2D

    handles, labels = axes.get_legend_handles_labels()
    once = dict(zip(labels, handles, strict=True))
    legend = figure.legend(once.values(), once.keys(), loc="outside upper center", ncols=min(len(once), 5))
    for handle in legend.legend_handles:
        if isinstance(handle, Line2D) and handle.get_markersize() < 4:
            handle.set_markersize(5)
            handle.set_alpha(0.8)


def drawn(name: str) -> str:
    """Return a name as Matplotlib can draw it: short, and no dollar taken for mathematics."""
    return short(name).replace("$", r"\$")


def short(name: str) -> str:
    """Return a name as a figure can bear it: on one line, cut where it is long, without what has no sign."""
    text = "".join(sign for sign in " ".join(name.split()) if sign.isprintable())
    return f"{text[: LONGEST_NAME - 12]}...{text[-9:]}" if len(text) > LONGEST_NAME else text


def axis_label(result: Result, name: str, told: Callable[[str], str] = drawn) -> str:
    """Return the quantity's or variable's name with its unit, where it has one."""
    unit = told(unit_of(result, name))
    return f"{told(name)} ({unit})" if unit else told(name)


def unit_of(result: Result, name: str) -> str:
    """Return the unit of a quantity or a variable; empty where it has none, or none that a few signs tell."""
    variable, labels = variable_and_labels(name)
    powers, data = result.model.unit_powers, result.data
    power = powers.get(name, powers.get(variable, 0))
    # Of what a quantity is: of each feature that its labels name, and of the data as a whole where they name none.
    of = [name] if name in data.units else [label for label in labels[-power:] if label in data.units]
    units = [data.units[each] for each in of] if data.units else [data.unit] * power
    if len(units) != power or not all(units) or (power > 1 and any(" " in unit for unit in units)):
        return ""
    return f"{units[0]}²" if power == 2 and units[0] == units[1] else "·".join(units)


def thinned(n: int, most: int) -> slice:
    """Return a slice that keeps at most so many of n draws, evenly."""
    return slice(None, None, -(-n // most) or 1)


def shown(n: int, most: int) -> str:
    """Return how many of n draws `thinned` keeps, in words.

    Examples
    --------
    >>> shown(4000, 300), shown(200, 300)
    ('286 of the 4000 posterior draws, evenly thinned', 'the 200 posterior draws')
    """
    kept = len(range(n)[thinned(n, most)])
    return f"{kept} of the {n} posterior draws, evenly thinned" if kept < n else f"the {n} posterior draws"
