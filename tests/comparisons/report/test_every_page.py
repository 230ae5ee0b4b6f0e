"""What every page must do in a browser, whatever result it is of: two stored ones, or with ``--pages DIR`` all of a folder.

``python -m pytest tests/comparisons/report/test_every_page.py --pages results`` looks at each report there and at the index.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from comparisons.report import write_report
from comparisons.results import store
from tests.browser_pages import WIDTHS, hostile, opened, serious

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ElementHandle, Page

LARGEST = 3_000_000
# What is left of A4 between the margins of print.
PAPER = 687
STORED = ("two-coin", "hostile")
# Every piece of text that is seen: where it is, clipped by what scrolls or hides, and what it says.
TEXTS = """
const texts = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const node = walker.currentNode, owner = node.parentElement;
  if (!node.data.trim() || owner.closest('script, style, .unseen, #vg-tooltip-element, defs')) continue;
  if (!owner.checkVisibility({ visibilityProperty: true, opacityProperty: true })) continue;
  const drawing = owner.closest('svg');
  const range = document.createRange();
  range.selectNodeContents(node);
  for (const box of drawing ? [owner.getBoundingClientRect()] : range.getClientRects()) {
    let [left, right, top, bottom] = [box.left, box.right, box.top, box.bottom];
    for (let around = owner; around; around = around.parentElement) {
      const style = getComputedStyle(around);
      if (around === document.body || around.closest('svg') || style.overflowX === 'visible') continue;
      const clip = around.getBoundingClientRect();
      [left, right] = [Math.max(left, clip.left), Math.min(right, clip.right)];
      [top, bottom] = [Math.max(top, clip.top), Math.min(bottom, clip.bottom)];
    }
    if (right - left > 1 && bottom - top > 1)
      texts.push({ owner, drawing, left, right, top, bottom, said: node.data.trim().slice(0, 60) });
  }
}
"""
OVERLAPPING = f"""() => {{
{TEXTS}
texts.sort((a, b) => a.top - b.top);
const found = [];
for (let i = 0; i < texts.length; i++) {{
  const a = texts[i];
  for (let j = i + 1; j < texts.length && texts[j].top < a.bottom; j++) {{
    const b = texts[j];
    const low = Math.min(a.bottom - a.top, b.bottom - b.top);
    const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
    const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
    // Lines of one text touch; a number on a contour is drawn twice, light and dark.
    const twice = a.drawing && a.said === b.said;
    if (a.owner !== b.owner && !twice && wide > 2 && high > 0.4 * low) found.push(`${{a.said}} | ${{b.said}}`);
  }}
}}
return found;
}}"""
OUTSIDE = f"""(width) => {{
{TEXTS}
return texts.filter(({{ drawing, left, right, top, bottom }}) => {{
  const edge = drawing ? drawing.getBoundingClientRect() : {{ left: 0, right: width, top: -1e9, bottom: 1e9 }};
  return left < edge.left - 2 || right > edge.right + 2 || top < edge.top - 2 || bottom > edge.bottom + 2;
}}).map(({{ said }}) => said);
}}"""
HIDDEN = """() => [...document.querySelectorAll('body *')].filter((each) =>
  !each.closest('svg, .unseen, .title') && each.checkVisibility() && !each.matches('.index p') &&
  ['hidden', 'clip'].includes(getComputedStyle(each).overflowX) && each.scrollWidth > each.clientWidth + 1
).map((each) => each.outerHTML.slice(0, 120))"""
SCROLLED = "[...document.querySelectorAll('.scroll, .live')].filter((e) => e.scrollWidth > e.clientWidth + 1).length"
FOLDED = "[...document.querySelectorAll('details > :not(summary)')].filter((e) => e.getBoundingClientRect().height === 0).length"
DRAWN = "(figure) => figure.querySelector('.live svg')?.outerHTML"
CHANGED = "([figure, before]) => figure.querySelector('.live svg').outerHTML !== before"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "path" not in metafunc.fixturenames:
        return
    directory: Path | None = metafunc.config.getoption("--pages")
    found: list[Any] = list(STORED)
    if directory is not None:
        found = [path for name in ("*/report.html", "index.html") for path in sorted(directory.resolve().glob(name))]
    ids = [
        each if isinstance(each, str) else each.parent.name if each.stem == "report" else each.stem for each in found
    ]
    metafunc.parametrize("path", found, ids=ids, indirect=True)


@pytest.fixture(scope="module")
def hostile_report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("hostile")
    store.write(hostile(), directory)
    return write_report(directory)


@pytest.fixture
def path(request: pytest.FixtureRequest) -> Path:
    """The page: of a folder that was given, or of a stored result."""
    named: Path | str = request.param
    if isinstance(named, Path):
        return named
    if named == "hostile":
        return Path(request.getfixturevalue("hostile_report"))
    return Path(request.getfixturevalue("out")) / named / "report.html"


def test_a_page_is_no_larger_than_three_megabytes(path: Path) -> None:
    print(f"{path}: {path.stat().st_size / 1e6:.2f} MB")
    assert path.stat().st_size <= LARGEST


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_overlaps_or_is_cut_and_nothing_is_complained_of(path: Path, width: int, browser: Browser) -> None:
    page, told = opened(browser, path, width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(OVERLAPPING) == []
    assert page.evaluate(OUTSIDE, width) == []
    assert page.evaluate(HIDDEN) == []
    if width == max(WIDTHS) and "hostile" not in str(path):
        assert page.evaluate(SCROLLED) == 0, "a table or a figure is cut at the widest"
    assert told == []
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_violation(path: Path, scheme: str, browser: Browser) -> None:
    assert serious(browser, path, scheme) == {}


def test_paper_has_all_of_a_page_and_cuts_nothing(path: Path, browser: Browser) -> None:
    page = browser.new_page(viewport={"width": PAPER, "height": 1000})
    page.goto(path.as_uri())
    page.emulate_media(media="print")
    assert page.evaluate(FOLDED) == 0, "something is folded on paper"
    if "hostile" not in str(path):
        assert page.evaluate(OUTSIDE, PAPER) == []
        assert page.evaluate(OVERLAPPING) == []
    assert page.pdf(format="A4", prefer_css_page_size=True).startswith(b"%PDF")
    page.close()


def controls(page: Page) -> Iterator[tuple[ElementHandle, ElementHandle, str]]:
    """Every slider, list and toggle of the figures to explore, each with its figure and kind."""
    for kind, selector in (("slider", "input[type=range]"), ("list", "select"), ("toggle", "[aria-pressed]")):
        for control in page.query_selector_all(f"figure .live {selector}"):
            figure = control.evaluate_handle("(e) => e.closest('figure')").as_element()
            assert figure is not None
            yield figure, control, kind


def redraws(page: Page, figure: ElementHandle, act: Callable[[], object]) -> None:
    """Act, and wait until the figure looks another way."""
    before = page.evaluate(DRAWN, figure)
    act()
    page.wait_for_function(CHANGED, arg=[figure, before], timeout=10_000)


def test_sliders_lists_toggles_and_folds_answer_to_mouse_and_keyboard(path: Path, browser: Browser) -> None:
    page, told = opened(browser, path)
    for figure, control, kind in list(controls(page)):
        control.scroll_into_view_if_needed()
        if kind == "slider":
            control.focus()
            redraws(page, figure, lambda: page.keyboard.press("Home"))
            redraws(page, figure, lambda: page.keyboard.press("ArrowRight"))
            box = control.bounding_box()
            assert box is not None
            right, middle = box["x"] + box["width"] - 2, box["y"] + box["height"] / 2
            redraws(page, figure, lambda right=right, middle=middle: page.mouse.click(right, middle))  # type: ignore[misc]
        elif kind == "list":
            control.focus()
            keys = ["ArrowDown"] if control.evaluate("(e) => e.selectedIndex + 1 < e.length") else ["ArrowUp"]
            if control.evaluate("(e) => e.length > 1"):
                redraws(page, figure, lambda keys=keys: page.keyboard.press(keys[0]))  # type: ignore[misc]
        else:
            pressed = control.get_attribute("aria-pressed")
            redraws(page, figure, control.click)
            page.wait_for_function("([e, was]) => e.ariaPressed !== was", arg=[control, pressed])
            control.focus()
            page.keyboard.press("Enter")
            page.wait_for_function("([e, was]) => e.ariaPressed === was", arg=[control, pressed])
    for folded in page.query_selector_all("summary"):
        folded.focus()
        page.keyboard.press("Enter")
        assert not folded.evaluate("(e) => e.parentElement.open")
        folded.click()
        assert folded.evaluate("(e) => e.parentElement.open")
    assert told == []
    page.close()


@pytest.mark.parametrize(
    ("body", "script", "found"),
    [
        ('<p style="margin:0">one</p><p style="margin:-1.2em 0 0">other</p>', OVERLAPPING, ["other | one"]),
        ('<p style="margin-left:-2em">left</p>', f"() => ({OUTSIDE})(400)", ["left"]),
        ('<svg width="60" height="20"><text x="40" y="15">long</text></svg>', f"() => ({OUTSIDE})(400)", ["long"]),
        (
            '<svg width="90" height="20"><text y="15">one</text><text x="9" y="15">two</text></svg>',
            OVERLAPPING,
            ["one | two"],
        ),
        (
            '<b style="display:block;overflow:hidden;width:1em">cut</b>',
            HIDDEN,
            ['<b style="display:block;overflow:hidden'],
        ),
        ('<p style="line-height:1.2">a line <b>bold</b><br>and another</p>', OVERLAPPING, []),
    ],
)
def test_what_overlaps_or_is_cut_is_found(body: str, script: str, found: list[str], browser: Browser) -> None:
    page = browser.new_page(viewport={"width": 400, "height": 300})
    page.set_content(f"<!DOCTYPE html><body>{body}</body>")
    told = page.evaluate(script)
    assert [each[: len(start)] for each, start in zip(told, found, strict=True)] == found
    page.close()
