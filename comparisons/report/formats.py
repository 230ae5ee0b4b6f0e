"""A figure in every format: drawn once, as SVG, from which PDF and PNG are made without drawing anything again.

Text stays text, so that it can be found and copied in a page and in a PDF. The same figure gives the same bytes.
"""

from __future__ import annotations

import functools
import io
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from comparisons.report.appearance import of_the_page
from comparisons.results.files import replacing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# A quarter finer than a screen, for slides.
PNG_SCALE = 2.5
# In an SVG, the number of a clip; in a PDF, lines that name what a page draws with, which come in any order.
_CLIP = re.compile(r'(?<=id="clip)\d+(?=")|(?<=url\(#clip)\d+(?=\))')
_NAMES = re.compile(rb"(?:^ +/\w+ \d+ 0 R\n)+", re.MULTILINE)
# Attributes that say where something is drawn, and in them what is finer than a hundredth of a point, which a page need not hold.
_DRAWN = re.compile(r'\b(?:d|points|transform|x|y)="[^"]*"')
_DIGITS = re.compile(r"(\.\d\d)\d+")


def svg_of_picture(figure: Figure) -> str:
    """Draw one of Matplotlib's figures; `Figure.savefig` would draw all of it twice, the first time to find the layout."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    text, canvas = io.StringIO(), cast(Any, FigureCanvasSVG(figure))
    canvas.print_svg(text, metadata={"Date": None})
    return text.getvalue()


def svg_of_chart(specification: dict[str, Any]) -> str:
    """Draw one of Vega's, with its clips numbered from 0, and not on from those of the figure before."""
    import vl_convert

    _register_fonts()
    svg: str = vl_convert.vega_to_svg(specification)
    numbers = {name: str(number) for number, name in enumerate(dict.fromkeys(_CLIP.findall(svg)))}
    return _CLIP.sub(lambda clip: numbers[clip[0]], svg)


def save(name: str, svg: str, folder: Path, *, png: bool) -> str:
    """Write the figure as SVG, PDF and, where asked for, PNG; return the SVG to stand inside a page."""
    import vl_convert

    _register_fonts()
    pdf = _NAMES.sub(lambda lines: b"".join(sorted(lines[0].splitlines(keepends=True))), vl_convert.svg_to_pdf(svg))
    made = {"svg": svg.encode(), "pdf": pdf}
    if png:
        made["png"] = vl_convert.svg_to_png(svg, scale=PNG_SCALE)
    for suffix, content in made.items():
        with replacing(folder / f"{name}.{suffix}") as unfinished:
            unfinished.write_bytes(content)
    return inline(svg, name)


def fonts() -> str:
    """Directory of the font that figures are drawn with."""
    import matplotlib

    return f"{matplotlib.get_data_path()}/fonts/ttf"


@functools.cache
def _register_fonts() -> None:
    import vl_convert

    vl_convert.register_font_directory(fonts())


def inline(svg: str, name: str) -> str:
    """Return the ``<svg>`` element alone, its identifiers made unique to this figure within a page."""
    element = svg[svg.index("<svg") :]
    element = re.sub(r"\s*<metadata>.*?</metadata>", "", element, flags=re.DOTALL)
    # Matplotlib styles every element of the page that its figure stands in; the same by inheritance from the svg.
    element = re.sub(r'<style type="text/css">.*?</style>', "", element, flags=re.DOTALL)
    element = of_the_page(element)
    element = _DRAWN.sub(lambda drawn: _DIGITS.sub(r"\1", drawn[0]), element)
    element = element.replace("<svg ", '<svg stroke-linejoin="round" stroke-linecap="butt" aria-hidden="true" ', 1)
    return re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", element)
