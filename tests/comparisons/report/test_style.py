"""Claims about how reports read: what is said first is short, and nothing is said twice."""

from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import get_args

import pytest

from comparisons.report import write_report
from comparisons.report.explanations import FEWEST_WORDS, explained, sentences
from comparisons.results import store
from em.search.doubts import Doubt, Ground
from tests.report_pages import Page
from tests.stored_results import two_coins

# What ends a block of text: a sentence does not run across.
BLOCKS = {"p", "li", "td", "th", "dd", "dt", "h1", "h2", "h3", "h4", "figcaption", "caption", "summary", "div", "title"}


class Blocks(HTMLParser):
    """The text of a page, block by block."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found = [""]
        self.skipped = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.skipped += tag in ("style", "script", "svg")
        if tag in BLOCKS:
            self.found.append("")

    def handle_endtag(self, tag: str) -> None:
        self.skipped -= tag in ("style", "script", "svg")
        if tag in BLOCKS:
            self.found.append("")

    def handle_data(self, data: str) -> None:
        if not self.skipped:
            self.found[-1] += data


def said_twice(html: str) -> list[str]:
    """Sentences that a page says more than once."""
    told = [sentence for block in Blocks(html).found for sentence in sentences(" ".join(block.split()))]
    counted = Counter(each for each in told if each.endswith(".") and len(each.split()) >= FEWEST_WORDS)
    return [sentence for sentence, times in counted.items() if times > 1]


def test_no_sentence_stands_twice_on_a_page(out: Path, name: str) -> None:
    assert said_twice((out / name / "report.html").read_text(encoding="utf-8")) == []


def test_a_sentence_that_stands_twice_is_found(tmp_path: Path) -> None:
    result = two_coins()
    store.write(replace(result, reasons=[*result.reasons, result.summary]), tmp_path)
    assert said_twice(write_report(tmp_path).read_text(encoding="utf-8")) == [result.summary]


def test_the_first_screen_spells_em_out_once_and_explains_the_unit_of_log_densities(out: Path, tmp_path: Path) -> None:
    text = Page((out / "two-coin" / "report.html").read_text(encoding="utf-8")).text
    assert text.count("expectation–maximisation (EM)") == text.count("expectation–maximisation") == 1
    assert text.index("expectation–maximisation (EM)") < text.index("Verdict:")
    store.write(replace(two_coins(), reasons=["The densities differ: by 3 nats at one point."]), tmp_path)
    html = write_report(tmp_path).read_text(encoding="utf-8")
    assert re.search(r'by 3 <abbr title="[^"]+">nats</abbr> at one point', html)


@pytest.mark.parametrize("ground", get_args(Ground.__value__))
def test_a_doubt_is_told_without_words_of_this_program(ground: Ground) -> None:
    told = Doubt(ground, 0, 0.22, 96.8, 0.62, 0.84, 9.0).told(["short"])
    assert not re.search(r"nats|regular|_", told)
    assert re.search("0.62|0.84|97 rows", told)


def test_what_is_said_of_several_quantities_is_said_once() -> None:
    result = two_coins()
    first, second = result.quantities
    both = [
        replace(first, reason="The posterior mean lies off. EM's interval is too wide."),
        replace(second, reason="The standard error is too small. EM's interval is too wide."),
    ]
    assert explained(replace(result, quantities=both)) == [
        ("Head probability of component B", "The posterior mean lies off."),
        ("All quantities", "EM's interval is too wide."),
        ("Head probability of component A", "The standard error is too small."),
    ]


def test_a_page_loads_nothing_runs_one_script_and_its_tables_have_headers(out: Path, name: str) -> None:
    html = (out / name / "report.html").read_text(encoding="utf-8")
    page = Page(html)
    (policy,) = re.findall(r'<meta http-equiv="Content-Security-Policy" content="([^"]+)">', html)
    assert "default-src &#39;none&#39;" in policy
    assert not re.search("script-src[^;]*unsafe|eval", policy)
    (script,) = re.findall(r"<script>(.*?)</script>", html, flags=re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src &#39;sha256-{digest}&#39;;" in unescape(policy).replace("'", "&#39;")
    others = re.findall(r"<script([^>]+)>", html)
    assert set(others) == {' type="application/json" class="specification"'}
    assert page.elements["script"] == len(others) + 1
    assert page.elements["iframe"] == page.elements["object"] == 0
    assert not [link for link in page.links if "//" in link]
    assert not re.search(r"url\((?!#)|@import", html.replace(script, ""))
    assert all(re.search(r"\bscope=", tag) for tag in re.findall(r"<th\b[^>]*>", html))
    assert all(re.search(r'aria-label="[^"]{20,}"', tag) for tag in re.findall(r'<div[^>]*role="img"[^>]*>', html))
    assert "`" not in page.text


def luminance(colour: str) -> float:
    """Relative luminance of WCAG 2.2."""
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_every_colour_of_text_has_the_contrast_of_aa_in_light_and_dark(out: Path) -> None:
    css = (
        (out / "two-coin" / "report.html").read_text(encoding="utf-8").partition("<style>")[2].partition("</style>")[0]
    )
    schemes = [
        dict(re.findall(r"--([a-z]+): (#[0-9a-f]{6})", block)) for block in re.findall(r":root \{([^}]+)\}", css)[:2]
    ]
    assert [len(colours) for colours in schemes] == [12, 12]
    for colours in schemes:
        for text in set(colours) - {"paper", "shade", "line"}:
            for ground in ("paper", "shade"):
                light, dark = sorted((luminance(colours[text]), luminance(colours[ground])), reverse=True)
                assert (light + 0.05) / (dark + 0.05) >= 4.5, (text, ground)
