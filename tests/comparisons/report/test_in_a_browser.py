"""Reports and their index in a real browser: all runs under the policy, by mouse and keyboard; nothing is cut; print has all."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from comparisons.report import write_index, write_report
from comparisons.results import store
from tests.browser_pages import HOSTILE, WIDTHS, hostile, opened, serious
from tests.report_pages import RESULTS
from tests.stored_results import two_coins

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


@pytest.fixture(scope="module")
def reports(out: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    directory = tmp_path_factory.mktemp("hostile")
    store.write(hostile(), directory)
    return {name: out / name / "report.html" for name in RESULTS} | {"hostile": write_report(directory)}


@pytest.mark.parametrize("name", ["two-coin", "faithful-2d", "bare", "hostile"])
def test_all_figures_run_without_complaint_and_no_page_is_wider_than_the_screen(
    name: str, browser: Browser, reports: dict[str, Path]
) -> None:
    page, told = opened(browser, reports[name])
    title = page.title()
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{name} at {width} pixels"
    wide = page.evaluate(
        "[...document.querySelectorAll('.scroll')].filter((e) => e.scrollWidth > e.clientWidth).length"
    )
    assert name == "hostile" or wide == 0, "a table is cut at 1280 pixels"
    assert told == []
    assert title.endswith(RESULTS[name]().verdict if name in RESULTS else two_coins().verdict), "no name has run"
    page.close()


def test_no_page_is_larger_than_three_megabytes(reports: dict[str, Path]) -> None:
    assert max(path.stat().st_size for path in reports.values()) <= 3_000_000


def test_the_policy_of_a_page_refuses_what_is_not_its_own(browser: Browser, reports: dict[str, Path]) -> None:
    page, told = opened(browser, reports["two-coin"])
    page.evaluate("document.body.append(Object.assign(document.createElement('script'), {text: 'document.title = 1'}))")
    assert page.title() != "1"
    assert any("Content Security Policy" in each for each in told)
    page.close()


def told_iteration(page: Page) -> str:
    (told,) = page.locator("#figure-surface .live .role-mark text", has_text="iteration ").all_text_contents()
    return told.partition(":")[0]


def test_the_slider_goes_along_the_path_of_em(browser: Browser, reports: dict[str, Path]) -> None:
    page, told = opened(browser, reports["two-coin"])
    slider = page.locator("#figure-surface input[type=range]")
    assert told_iteration(page) == "iteration 14"
    slider.focus()
    page.keyboard.press("Home")
    page.wait_for_function("document.querySelector('#figure-surface .live').textContent.includes('iteration 0:')")
    assert page.locator("#figure-surface .live .layer_6_marks path").count() == 1
    page.keyboard.press("ArrowRight")
    page.wait_for_function("document.querySelector('#figure-surface .live').textContent.includes('iteration 1:')")
    box = slider.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_function("document.querySelector('#figure-surface .live').textContent.includes('iteration 7:')")
    assert told == []
    page.close()


DRAWS = "[...document.querySelectorAll('#figure-chains .live .mark-symbol.role-mark path')]"
SEEN = f"{DRAWS}.filter((draw) => draw.getAttribute('fill-opacity') !== '0').length"


def test_a_chain_is_toggled_in_the_legend_and_quantities_are_chosen(browser: Browser, reports: dict[str, Path]) -> None:
    page, told = opened(browser, reports["two-coin"])
    labels = page.locator("#figure-chains .live .role-legend-label text")
    assert labels.all_text_contents() == [f"chain {k}" for k in (1, 2, 3, 4)]
    assert page.evaluate(SEEN) == 1000

    def pressed(expected: int, states: str) -> None:
        page.wait_for_function(f"{SEEN} === {expected}")
        page.wait_for_function(
            "(states) => [...document.querySelectorAll('#figure-chains .live [aria-pressed]')]"
            ".map((e) => e.ariaPressed[0]).join('') === states",
            arg=states,
        )

    labels.nth(1).click()
    pressed(750, "tftt")
    labels.nth(2).focus()
    page.keyboard.press("Enter")
    pressed(500, "tfft")
    page.keyboard.press(" ")
    labels.nth(1).click()
    pressed(1000, "tttt")
    page.keyboard.press("Tab")
    across = page.locator("#figure-chains select").first
    across.select_option(label="number of the draw")
    page.wait_for_function(
        "document.querySelector('#figure-chains .live svg').textContent.includes('number of the draw')"
    )
    assert told == []
    page.close()


@pytest.mark.parametrize("name", ["two-coin", "hostile"])
def test_a_quantity_hovered_over_tells_its_numbers(name: str, browser: Browser, reports: dict[str, Path]) -> None:
    page, told = opened(browser, reports[name])
    quantity = two_coins().quantities[1]
    page.locator("#figure-forest .live .mark-rect path").nth(1).hover()
    tooltip = page.locator("#vg-tooltip-element.visible")
    assert f"{quantity.em:.3f}" in tooltip.inner_text()
    assert name == "two-coin" or "</scr" in tooltip.inner_text()
    box = tooltip.bounding_box()
    assert box is not None
    assert box["width"] <= 400
    assert told == []
    page.close()


def test_on_paper_and_without_script_the_pictures_stand(browser: Browser, reports: dict[str, Path]) -> None:
    page, told = opened(browser, reports["two-coin"])
    for media, still in (("screen", False), ("print", True)):
        page.emulate_media(media=media)  # type: ignore[arg-type]
        for figure in ("forest", "surface", "chains"):
            assert page.locator(f"#figure-{figure} .still svg").is_visible() == still
            assert page.locator(f"#figure-{figure} .live").is_visible() != still
    assert page.pdf(format="A4", prefer_css_page_size=True).startswith(b"%PDF")
    assert told == []
    page.close()
    page, told = opened(browser, reports["two-coin"], script=False)
    box = page.locator("#figure-forest .still svg").bounding_box()
    assert box is not None
    assert min(box["width"], box["height"]) > 100
    assert "head probability of component A: EM" in (
        page.locator("#figure-forest .still").get_attribute("aria-label") or ""
    )
    assert page.locator("#figure-forest .live").is_hidden()
    page.close()


@pytest.mark.parametrize("name", ["two-coin", "index"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_violation(
    scheme: str, name: str, browser: Browser, reports: dict[str, Path], index: Path
) -> None:
    assert serious(browser, (reports | {"index": index})[name], scheme) == {}


@pytest.fixture(scope="module")
def index(reports: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The index of all results, of one with hostile names, and of what is damaged."""
    out = tmp_path_factory.mktemp("index")
    for name, path in reports.items():
        shutil.copytree(path.parent, out / (HOSTILE[1][:20].replace("/", "") if name == "hostile" else name))
    (out / "damaged").mkdir()
    (out / "damaged" / store.RESULT).write_text("{")
    return write_index(out, ["faithful-2d"])


SHOWN = "[...document.querySelectorAll('tbody tr:not([hidden])')]"


def seen(page: Page, column: int) -> list[str]:
    """What the rows that are shown have in a column, from the top."""
    told: list[str] = page.evaluate(f"(k) => {SHOWN}.map((row) => row.cells[k].innerText.trim())", column)
    return told


def test_the_index_loads_its_pictures_alone_and_fits_every_screen(browser: Browser, index: Path) -> None:
    page, told = opened(browser, index)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width, f"at {width} pixels"
    page.evaluate("for (const image of document.images) image.loading = 'eager'")
    page.wait_for_function("[...document.images].every((image) => image.complete && image.naturalWidth > 100)")
    assert page.locator("tbody img").count() == len(RESULTS) + 1
    assert page.title() == "EM and the posterior, compared", "no name has run"
    assert told == []
    page.evaluate("document.body.append(Object.assign(document.createElement('script'), {text: 'document.title = 1'}))")
    assert page.title() != "1"
    page.close()


def test_the_index_is_filtered_by_words_and_by_verdict(browser: Browser, index: Path) -> None:
    page, told = opened(browser, index)
    status, verdicts = page.get_by_role("status"), Counter(make().verdict for make in RESULTS.values())
    verdicts[hostile().verdict] += 1
    everything = len(RESULTS) + 2
    assert status.inner_text() == f"{everything} of {everything} comparisons"
    for verdict, n in verdicts.items():
        box = page.get_by_role("checkbox", name=verdict)
        box.focus()
        page.keyboard.press("Space")
        assert status.inner_text() == f"{n} of {everything} comparisons"
        assert all(verdict in each for each in seen(page, 1))
        page.keyboard.press("Space")
    page.get_by_role("checkbox", name="no result").check()
    assert [each.split()[0] for each in seen(page, 0)] == ["damaged"]
    page.get_by_role("checkbox", name="inconclusive").check()
    assert status.inner_text() == f"{1 + verdicts['inconclusive']} of {everything} comparisons"
    for box in page.get_by_role("checkbox").all():
        box.uncheck()
    page.get_by_role("searchbox").focus()
    page.keyboard.type("FAITHFUL-2D ")
    assert [each for each in seen(page, 0) if "faithful-2d" not in each] == []
    page.keyboard.press("Enter")
    page.get_by_role("searchbox").fill("</script")
    assert len(seen(page, 0)) == 1
    page.get_by_role("searchbox").fill("nothing is called this")
    assert status.inner_text() == f"0 of {everything} comparisons"
    assert told == []
    page.close()


def test_the_index_is_sorted_by_mouse_and_keyboard_and_says_so(browser: Browser, index: Path) -> None:
    page, told = opened(browser, index)
    assert "faithful-2d" in seen(page, 0)[0]
    differing = page.get_by_role("columnheader", name="Quantities that differ")
    differing.get_by_role("button").click()
    assert differing.get_attribute("aria-sort") == "ascending"
    counts = [int(each.split()[0]) for each in seen(page, 2)[:-1]]
    assert counts == sorted(counts)
    differing.get_by_role("button").focus()
    page.keyboard.press("Enter")
    assert differing.get_attribute("aria-sort") == "descending"
    assert [int(each.split()[0]) for each in seen(page, 2)[:-1]] == sorted(counts, reverse=True)
    assert seen(page, 2)[-1] == "–", "what is not there stands last"
    page.get_by_role("button", name="Verdict").click()
    order = ["no result", "wrong", "inconclusive", "differ", "agree"]
    places = [next(k for k, verdict in enumerate(order) if verdict in each) for each in seen(page, 1)]
    assert places == sorted(places)
    assert differing.get_attribute("aria-sort") is None
    assert page.locator("[aria-sort]").count() == 1
    assert told == []
    page.close()


def test_without_script_the_index_is_a_plain_table(browser: Browser, index: Path) -> None:
    page, told = opened(browser, index, script=False)
    assert page.locator("tbody tr").count() == len(RESULTS) + 2
    assert page.get_by_role("search").is_hidden()
    assert page.locator("button").count() == 0
    assert told == []
    page.close()
