"""Methods are held against the posterior by what they say of every quantity; what they cannot say is told."""

from __future__ import annotations

import contextlib
import dataclasses
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from scipy import stats

from comparisons import pipeline
from comparisons.command.command_line import main
from comparisons.methods import comparing, record, shortcuts
from comparisons.methods.comparing import Reference, held_against
from comparisons.methods.shortcuts import Answer, CameToNothing, Case, Marginal, marginal
from comparisons.report import is_current, write_report
from comparisons.report.methods import shares
from comparisons.results import store
from comparisons.results.store import StoredResultError
from tests.report_pages import page

ABSENT = "NUTS by BlackJAX"  # which is not among the packages of the tests
QUICK = ("EM with Wald", "EM with profile", "Laplace at the mode", "importance sampling from EM", "NUTS by nutpie")
LOW, HIGH = float(stats.norm.ppf(shortcuts.ENDS[0])), float(stats.norm.ppf(shortcuts.ENDS[1]))
STANDARD = Marginal(0.0, 1.0, LOW, HIGH)


def reference(*names: str) -> Reference:
    """A standard normal posterior of every quantity."""

    def below(points: dict[str, list[float]]) -> dict[str, list[float]]:
        return {name: [float(stats.norm.cdf(x)) for x in some] for name, some in points.items()}

    return Reference(dict.fromkeys(names, STANDARD), below, np.inf, "exact")


def moved(by: float = 0.0, wider: float = 1.0) -> Marginal:
    return Marginal(by, wider, STANDARD.low * wider + by, STANDARD.high * wider + by)


def test_a_marginal_of_weighted_draws_is_that_of_their_distribution() -> None:
    x = np.linspace(-9, 9, 20_001)
    weights = stats.norm.pdf(x, 1.0, 0.5)
    found = marginal(x, weights / weights.sum())
    assert dataclasses.astuple(found) == pytest.approx((1.0, 0.5, *(1 + 0.5 * end for end in (LOW, HIGH))), abs=1e-3)
    drawn = marginal(np.random.default_rng(1).normal(1.0, 0.5, 200_000))
    assert dataclasses.astuple(drawn) == pytest.approx(dataclasses.astuple(found), abs=0.01)


@pytest.mark.parametrize(
    ("off", "good", "mean", "ratio", "tail"),
    [
        (moved(), "yes", 0.0, 1.0, 0.03),
        (moved(0.2), "yes", 0.2, 1.0, stats.norm.cdf(LOW + 0.2)),
        (moved(-0.3), "slightly off", -0.3, 1.0, stats.norm.sf(HIGH - 0.3)),
        (moved(-0.6), "no", -0.6, 1.0, stats.norm.sf(HIGH - 0.6)),
        (moved(wider=0.75), "no", 0.0, 0.75, stats.norm.cdf(0.75 * LOW)),
        (moved(wider=1.5), "no", 0.0, 1.5, stats.norm.cdf(1.5 * LOW)),
    ],
)
def test_a_method_is_told_by_the_quantity_in_which_it_is_worst(
    off: Marginal, good: str, mean: float, ratio: float, tail: float
) -> None:
    found = held_against("mine", Answer({"right": moved(), "off": off}), reference("right", "off"), 2.0, 50.0)
    assert found.good == good
    assert (found.reason is None) == (good == "yes")
    assert found.mean == pytest.approx(mean, abs=1e-9)
    assert found.sd_ratio == pytest.approx(ratio)
    assert found.tail == pytest.approx(tail, abs=2e-4)
    assert {found.mean_of, found.sd_ratio_of, found.tail_of} <= {"right", "off"}
    assert (found.seconds, found.per_second) == (2.0, 50.0)


def test_what_a_method_does_not_say_is_told() -> None:
    nothing = Marginal(np.nan, np.nan, np.nan, np.nan)
    some = held_against("mine", Answer({"a": moved(), "b": nothing}), reference("a", "b"), 1.0)
    assert (some.good, some.reason) == ("no", "It has no interval, or an estimate at a bound, for 1 of 2 quantities.")
    none = held_against("mine", Answer({"a": nothing}), reference("a"), 1.0)
    assert (none.good, none.mean, none.seconds) == (None, None, None)
    at_bound = held_against(
        "mine", Answer({"a": moved(), "b": Marginal(-np.inf, np.nan, -np.inf, 1.0)}), reference("a", "b"), 1.0
    )
    assert (at_bound.good, at_bound.mean, at_bound.reason) == ("no", 0.0, some.reason)
    interval = held_against("mine", Answer({"a": dataclasses.replace(moved(), sd=np.nan)}), reference("a"), 1.0)
    assert (interval.good, interval.sd_ratio, interval.sd_ratio_of) == ("yes", None, "")
    doubted = held_against("mine", Answer({"a": moved()}, reservation="Its chains have not met."), reference("a"), 1.0)
    assert (doubted.good, doubted.reason) == ("no", "Its chains have not met.")


def test_monte_carlo_error_of_what_a_method_is_held_against_is_allowed_for() -> None:
    rough = dataclasses.replace(reference("a"), effective=1000.0)
    just_beyond = Answer({"a": moved(0.28)})
    assert held_against("mine", just_beyond, reference("a"), 1.0).good == "slightly off"
    assert held_against("mine", just_beyond, rough, 1.0).good == "yes"


@pytest.mark.parametrize(
    ("off", "told"),
    [
        (moved(15.4), "Its mean is 15 posterior SDs off for the mean of component 2."),
        (moved(wider=0.05), "Its SD is 0.05 times the posterior's for the mean of component 2."),
        (
            Marginal(0.0, 1.0, LOW, 1.0),
            "Its interval leaves 0.16 of the posterior beyond one end, not 0.03, for the mean of component 2.",
        ),
    ],
)
def test_what_is_farthest_off_is_the_reason(off: Marginal, told: str) -> None:
    names = ("means[1]", "means[2]")
    found = held_against("mine", Answer(dict(zip(names, (moved(), off), strict=True))), reference(*names), 1.0)
    assert found.reason == told


def test_an_interrupt_that_a_library_takes_for_its_own_ends_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    def goes_on_with_half(case: Case) -> Answer:
        with contextlib.suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        return Answer({"a": moved()})

    monkeypatch.setitem(shortcuts.METHODS, "SMC", goes_on_with_half)
    case: Any = None
    # What runs in the background may have been started with interrupts ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            comparing.tried("SMC", case, reference("a"))
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("error", [CameToNothing("numpyro is not installed."), ValueError("no start\nfound")])
def test_a_method_that_fails_says_why(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(case: Case) -> Answer:
        raise error

    monkeypatch.setitem(shortcuts.METHODS, "SMC", fails)
    case: Any = None
    found = comparing.tried("SMC", case, reference("a"))
    assert (found.good, found.mean, found.tail_of) == (None, None, "")
    assert found.reason in ("numpyro is not installed.", "ValueError: no start")
    assert comparing.conclusion([found]) == "No method keeps to the limits for every quantity; take the long run."


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two coins with the quick methods beside a result."""
    out = tmp_path_factory.mktemp("results")
    settings: Any = {"seed": 1, "draws": 500, "chains": 4, "fresh": False}
    pipeline.run("two-coin", out, **settings, progress=lambda stage: None)
    store.end_run(out / "two-coin")
    comparing.compare("two-coin", seed=1, out=out, methods=(*QUICK, ABSENT))
    return out


@pytest.mark.sampling
def test_methods_of_two_coins(stored: Path) -> None:
    found = record.read(stored / "two-coin")
    assert found is not None
    by_name = {each.name: each for each in found.methods}
    assert tuple(by_name) == (*QUICK, ABSENT)
    assert (by_name[ABSENT].good, by_name[ABSENT].reason) == (None, "blackjax is not installed.")
    # Against the posterior by all assignments of bags to coins EM's mean is off by .2, and its interval of coin A too wide.
    assert found.reference == "the posterior by quadrature, which is exact"
    assert by_name["EM with Wald"].good == "slightly off", "as in the verdict"
    assert by_name["EM with Wald"].mean == pytest.approx(0.2, abs=0.05)
    assert by_name["EM with profile"].sd_ratio is None
    for name in ("importance sampling from EM", "NUTS by nutpie"):
        assert by_name[name].good == "yes", name
        assert abs(by_name[name].mean or 1.0) < 0.1, name
    assert (by_name["NUTS by nutpie"].per_second or 0) > 0
    assert "importance sampling from EM" in found.conclusion
    assert all((by_name[name].seconds or 0) > 0 for name in QUICK)


@pytest.mark.sampling
def test_methods_stand_in_the_report(stored: Path) -> None:
    written = page(write_report(stored / "two-coin"))
    found = record.read(stored / "two-coin")
    assert found is not None
    assert "Which method would do?" in written.text
    assert [row[0] for row in written.rows if row[0] in (*QUICK, ABSENT)] == [*QUICK, ABSENT]
    assert "blackjax is not installed." in written.text
    assert is_current(stored / "two-coin")
    path = stored / "two-coin" / record.FILE
    text = path.read_text()
    path.write_text(text.replace('"good": "yes"', '"good": "no"', 1))
    assert not is_current(stored / "two-coin")
    with pytest.raises(
        StoredResultError, match="its digest is of other numbers; make it again: comparisons methods two-coin"
    ):
        record.read(stored / "two-coin")
    path.write_text(text)


@pytest.mark.sampling
def test_the_figure_has_1_at_each_limit(stored: Path) -> None:
    found = record.read(stored / "two-coin")
    assert found is not None
    at = dataclasses.replace(found.methods[0], mean=-0.25, sd_ratio=0.8, tail=0.06)
    assert list(shares(found, at).values()) == pytest.approx([1.0, 1.0, 1.0])
    assert shares(found, dataclasses.replace(at, sd_ratio=None, tail=0.0)) == pytest.approx(
        {"mean": 1.0, "tails": np.inf}
    )


@pytest.mark.sampling
def test_the_command_tells_what_is_stored(stored: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = record.read(stored / "two-coin")
    monkeypatch.setattr(comparing, "compare", lambda *asked, **options: found)
    told = CliRunner().invoke(main, ["methods", "two-coin"], catch_exceptions=False)
    assert told.exit_code == 0
    assert all(name in told.output for name in QUICK)
    monkeypatch.setattr(
        comparing, "compare", lambda *asked, **options: (_ for _ in ()).throw(comparing.NoReference("apart"))
    )
    failed = CliRunner().invoke(main, ["methods", "two-coin"])
    assert (failed.exit_code, failed.output) == (3, "Error: apart\n")


@pytest.mark.long
@pytest.mark.sampling
def test_every_other_method_of_pymc_ends() -> None:
    names = ("mean-field ADVI", "full-rank ADVI", "SMC", "NUTS by PyMC")
    found = comparing.compare("two-coin", seed=1, methods=names)
    assert [each.good is not None for each in found.methods] == [True] * 4
    assert [each.good for each in found.methods if each.name in ("SMC", "NUTS by PyMC")] == ["yes", "yes"]
