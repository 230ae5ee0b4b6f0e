"""Settings of Sphinx, and the two pages that are made from the code: the gallery, and the title of the table of families."""

from __future__ import annotations

from importlib.metadata import version as version_of
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "em-comparisons"
author = copyright = "The em-comparisons developers"
version = release = version_of("em-comparisons")

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "sphinx.ext.mathjax", "numpydoc"]
exclude_patterns = ["_build", "_templates"]
templates_path = ["_templates"]
# A name in single backticks is one of the code where there is such a name, and else a word.
default_role = "py:obj"

myst_enable_extensions = ["dollarmath"]
# Headings of three levels can be linked to, and a link to one that is not there is a warning.
myst_heading_anchors = 3
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 300

autosummary_imported_members = True
autosummary_ignore_module_all = False
autodoc_typehints = "none"
numpydoc_show_class_members = False

html_theme = "pydata_sphinx_theme"
html_title = "em-comparisons"
html_show_sourcelink = False
# All pages in the sidebar, under the captions of the index.
html_sidebars = {"**": ["globaltoc.html"]}
html_theme_options = {"navbar_center": [], "show_toc_level": 2, "navigation_with_keys": False}


def gallery() -> str:
    """All comparisons of the catalogue with their titles, questions and data."""
    from comparisons import catalogue

    parts = []
    for name in catalogue.names():
        declared = catalogue.declared(name)
        parts.append(
            f"## {declared.title}\n\n**{declared.question}**\n\nData: {declared.description}.\n\n"
            f"```\ncomparisons run {name}\n```\n"
        )
    return "\n".join(parts)


def complete(app: Sphinx, page: str, source: list[str]) -> None:
    """Give pages what only the code knows."""
    if page == "gallery":
        source[0] += "\n" + gallery()
    elif page == "families":
        # The file is what `comparisons families --markdown` prints, and a test holds it to that.
        source[0] = "# All families\n\n" + source[0]


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect them."""
    app.connect("source-read", complete)
    return {"parallel_read_safe": True}
