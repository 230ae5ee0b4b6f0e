"""For the paper: what was run and found, as text and tables to take over into an article, from a result alone.

Methods, results, table and GRoLTS list are told once, and written as Markdown, LaTeX and Typst.
"""

from __future__ import annotations

from pathlib import Path

from comparisons.paper.grolts import items
from comparisons.paper.markup import FORMATS, LATEX, MARKDOWN, TYPST
from comparisons.paper.references import bibliography
from comparisons.paper.tables import csv_table, latex_table, markdown_table, typst_table
from comparisons.paper.text import methods, results
from comparisons.report.digits import prose
from comparisons.results.files import write_text
from comparisons.results.result import Result

FOLDER = "paper"
PDF = "paper.pdf"
# Figures of the page that an article is likely to have, where there are such: all quantities, and data with both fits.
# An image as wide as the text, or as high as a page can hold.
FITTED = """#let fitted(path) = layout(size => if measure(image(path, width: size.width)).height > 22cm {
  image(path, height: 22cm)
} else { image(path, width: 100%) })"""
FIGURES = {"forest": "EM’s intervals beside the posterior.", "data-and-fits": "The data with both fits."}


def texts(result: Result) -> dict[str, str]:
    """Return every file of the folder by its name."""
    found = {}
    for form in FORMATS:
        for name, paragraphs in (("methods", methods(result)), ("results", results(result))):
            found[f"{name}.{form.suffix}"] = "\n\n".join(map(form.paragraph, paragraphs)) + "\n"
        found[f"grolts.{form.suffix}"] = "\n".join(form.items([item.told for item in items(result)])) + "\n"
    return found | {
        f"table.{LATEX.suffix}": latex_table(result),
        f"table.{MARKDOWN.suffix}": markdown_table(result),
        f"table.{TYPST.suffix}": typst_table(result),
        "table.csv": csv_table(result),
        "references.bib": bibliography(result),
    }


def write(result: Result, directory: Path) -> None:
    """Write the folder beside a stored result, in place of an older one; its PDF, which is then of other text, goes."""
    folder = directory / FOLDER
    (folder / PDF).unlink(missing_ok=True)
    for name, text in texts(result).items():
        write_text(folder / name, text)
    write_text(folder / "paper.typ", _whole(result, directory))


def refuse_without_typst() -> None:
    """Say what to install where there is no Typst.

    Raises
    ------
    ModuleNotFoundError
        with what to install
    """
    from importlib.util import find_spec

    if find_spec("typst") is None:
        raise ModuleNotFoundError("--pdf needs Typst, which is not installed; pip install em-comparisons[pdf]")


def write_pdf(directory: Path) -> Path:
    """Make ``paper/paper.pdf`` of what was written there before, and return its path."""
    import typst

    from comparisons.report.formats import fonts
    from comparisons.results.files import replacing

    folder = directory / FOLDER
    with replacing(folder / PDF) as unfinished:
        typst.compile(str(folder / "paper.typ"), output=str(unfinished), root=str(directory), font_paths=[fonts()])
    return folder / PDF


def _whole(result: Result, directory: Path) -> str:
    """Return the article of all parts, as Typst."""
    figures = [
        f'#figure(fitted("../figures/{name}.svg"), caption: [{TYPST.text(caption)}], placement: auto)'
        for name, caption in FIGURES.items()
        if (directory / "figures" / f"{name}.svg").exists()
    ]
    return "\n\n".join(
        [
            '#set page(paper: "a4", margin: 2.5cm, numbering: "1")\n#set text(size: 10pt, lang: "en")\n#set par(justify: true)',
            FITTED,
            f'#align(center, text(size: 15pt, weight: "bold")[{TYPST.text(result.title)}])',
            f"#align(center)[{TYPST.text(prose(result.question))}]",
            '= Methods\n#include "methods.typ"',
            '= Results\n#include "results.typ"\n\n#include "table.typ"',
            *figures,
            '#bibliography("references.bib", title: "References")',
            '= GRoLTS: what is reported\n#include "grolts.typ"\n',
        ]
    )
