"""Pages opened in a real browser, and one with names that no name should be."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from comparisons.sampled import SampledResult
from tests.result_parts import tree
from tests.stored_results import two_coins

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
WIDTHS = (400, 800, 1280)
HOSTILE = (
    "<script>document.title='run'</script><img src=x onerror=\"document.title='run'\">",
    '</script><!-- "\'`${1+1}{{7*7}} =HYPERLINK("http://example.org") \u202eright\u200f to left\u202c \x1b[31m &amp; '
    + "x" * 10_000,
)
OPEN = "for (const folded of document.querySelectorAll('details')) folded.open = true"
EXPLORED = "document.querySelectorAll('figure.explored').length === document.querySelectorAll('.live').length"


def hostile() -> SampledResult:
    """Two coins whose names are what no name should be."""
    result = two_coins()
    renamed = dict(zip([quantity.name for quantity in result.quantities], HOSTILE, strict=True))
    names = {old: f"head_probabilities[{new}]" for old, new in renamed.items()}
    assert result.surface is not None
    return replace(
        result,
        name="hostile",
        title=HOSTILE[0],
        quantities=[replace(quantity, name=names[quantity.name]) for quantity in result.quantities],
        model=replace(result.model, component_names=list(HOSTILE)),
        surface=replace(result.surface, x=names[result.surface.x], y=names[result.surface.y]),
        em=replace(result.em, path={names[old]: values for old, values in result.em.path.items()}, modes=[]),
        posterior=tree(
            {"head_probabilities": result.posterior["posterior"]["head_probabilities"].values}, list(HOSTILE)
        ),
    )


def opened(browser: Browser, path: Path, width: int = 1280, script: bool = True) -> tuple[Page, list[str]]:
    """The page with nothing folded and all figures running, and what it has complained of so far."""
    page = browser.new_page(viewport={"width": width, "height": 900}, java_script_enabled=script)
    told: list[str] = []
    page.on("console", lambda message: told.append(message.text))
    page.on("pageerror", lambda error: told.append(str(error)))
    page.on("dialog", lambda dialog: told.append(dialog.message))
    page.on("request", lambda request: None if request.url.startswith(("file:", "data:")) else told.append(request.url))
    page.goto(path.as_uri())
    if script:
        page.evaluate(OPEN)
        page.wait_for_function(EXPLORED)
    return page, told


def serious(browser: Browser, path: Path, scheme: str) -> dict[str, str]:
    """What axe calls a serious or critical violation, with the first element that has it, in a light or dark scheme."""
    from axe_playwright_python.sync_playwright import Axe

    context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme=scheme, bypass_csp=True)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(path.as_uri())
    page.evaluate(OPEN)
    page.wait_for_function(EXPLORED)
    found = Axe().run(page).response["violations"]
    context.close()
    return {each["id"]: each["nodes"][0]["html"][:200] for each in found if each["impact"] in ("serious", "critical")}
