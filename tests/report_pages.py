"""Results that a report must be able to tell, and a page taken apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

from comparisons.results.report_data import GoodnessOfFit, Labels, ModelChecks, PredictiveChecks, PriorSensitivity
from comparisons.results.result import Check, PosteriorSummary
from comparisons.sampled import SampledResult
from tests.stored_results import geyser, two_coins

VOID = {"meta", "link", "col", "br", "hr", "img", "input", "wbr"}


class Page(HTMLParser):
    """A page taken apart, refusing one whose elements do not nest."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: Counter[str] = Counter()
        self.elements: Counter[str] = Counter()
        self.links: list[str] = []
        self.references: set[str] = set()
        self.values: set[str] = set()
        self.words: list[str] = []
        self.rows: list[list[str]] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements[tag] += 1
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th") and self.rows:
            self.rows[-1].append("")
        for name, value in attrs:
            if name == "id" and value:
                self.ids[value] += 1
            if name in ("href", "src", "xlink:href") and value:
                self.links.append(value)
            if name in ("aria-labelledby", "aria-describedby") and value:
                self.references.update(value.split())
            if tag == "data" and name == "value" and value:
                self.values.add(value)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"style", "script"} & set(self.open):
            self.words.append(data)
            if {"td", "th"} & set(self.open):
                self.rows[-1][-1] += data

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())


NOTHING_TO_TELL_APART = Labels(
    "nothing to tell apart", "There is one component.", 0.01, 4000, None, None, None, None, None, None, []
)


def bare(result: SampledResult) -> SampledResult:
    """The least that a result may hold: nothing exists that may be missing."""
    nothing = PosteriorSummary(None, None, None, None, 0.94, None, None, None, None)
    quantities = [
        replace(q, em=None, em_se=None, em_low=None, em_high=None, map=None, posterior=nothing, gap=None, tail_below=None,
                tail_above=None, verdict="inconclusive")
        for q in result.quantities
    ]  # fmt: skip
    em = replace(
        result.em, log_likelihood=None, rate=None, trace=[-1.0], trace_iterations=[0], path={}, modes=[],
        map_log_posterior=None, standard_error_reason="withheld: a ridge.",
    )  # fmt: skip
    model_checks = ModelChecks(
        GoodnessOfFit("Not applicable. Saturated.", [], [], 0, 0),
        PredictiveChecks("Not applicable. Nothing is left over.", [], [], 0, 0.94),
        PriorSensitivity("Not applicable. The chains have not converged.", [], 0.05),
    )
    return replace(
        result, name="bare", model_checks=model_checks, quantities=quantities, em=em, curves=[], surface=None, findings=[],
        checks=[], reasons=[], verdict="inconclusive", labels=NOTHING_TO_TELL_APART,
    )  # fmt: skip


def ridge(result: SampledResult) -> SampledResult:
    """EM ended on a ridge: of the two quantities the second is identified all the same."""
    flat, known = result.quantities
    flat = replace(flat, em_se=None, em_low=None, em_high=None, tail_below=None, tail_above=None, verdict="differ")
    em = replace(result.em, status="ridge", map_status="ridge", rate=1.0, modes=result.em.modes[:1])
    return replace(result, name="ridge", quantities=[flat, known], em=em, curves=[])


def unconverged(result: SampledResult) -> SampledResult:
    """Chains that did not meet, after two further attempts."""
    check = Check("sampler-converged", "The sampler has converged", "inconclusive", 1.528, 1.01, "R-hat is 1.528.")
    return replace(
        result, name="unconverged", verdict="inconclusive", checks=[check], sampler=replace(result.sampler, reruns=2),
        curves=[], surface=None,
    )  # fmt: skip


RESULTS: dict[str, Callable[[], SampledResult]] = {
    "two-coin": two_coins,
    "faithful-2d": geyser,
    "bare": lambda: bare(two_coins()),
    "ridge": lambda: ridge(two_coins()),
    "unconverged": lambda: unconverged(two_coins()),
}


def page(path: Path) -> Page:
    return Page(path.read_text(encoding="utf-8"))
