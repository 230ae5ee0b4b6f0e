"""What was found about the number of components is told, stored and shown as it is, and never more than it is."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from comparisons.command.command_line import main
from comparisons.components import comparing, conclusions, record
from comparisons.components.record import Components, Rival
from comparisons.report import is_current, write_report
from comparisons.report.digits import ratio
from comparisons.results import store
from comparisons.results.store import StoredResultError
from tests.stored_components import candidate, components
from tests.stored_results import two_coins


def told(found: Components) -> str:
    return " ".join(found.conclusions)


def test_where_all_say_the_same_the_number_is_said_once() -> None:
    found = components(candidate(1, 30.0), candidate(2, 20.0), candidate(3, 25.0, p_value=0.6, gain=2.0))
    found = components(
        *(replace(c, leave_one_out=replace(c.leave_one_out, elpd=-c.criteria.aic)) for c in found.candidates)
    )
    assert set(found.choices.values()) == {2}
    assert "Together: all that choose say 2 components." in told(found)
    assert "disagree" not in told(found)


def test_where_they_disagree_each_is_named_with_what_it_asks() -> None:
    found = components(candidate(1, 30.0), candidate(2, 31.0, p_value=0.04))
    assert found.choices["BIC"] == 1
    assert found.choices["leave-one-out"] == 2
    # The test rejected one component, and none was left to try.
    assert found.choices["bootstrap test"] is None
    assert "They disagree: 1 component by AIC (hardly), BIC (hardly), ICL (hardly)" in told(found)
    assert "AIC and leave-one-out ask what predicts the next row best" in told(found)
    assert "Bootstrap test cannot choose." in told(found)


def test_the_largest_number_tried_is_not_taken_for_the_answer() -> None:
    assert "look further with --max 4" in told(components(candidate(1, 30.0), candidate(2, 20.0)))


def test_an_unreliable_evidence_chooses_nothing_and_says_so() -> None:
    found = components(candidate(1, 30.0), candidate(2, 20.0, log_bayes_factor=None))
    assert found.choices["marginal likelihood"] is None
    assert "2 against 1 unknown, the estimate being unreliable" in told(found)
    assert "With 2 components the log evidence cannot be relied on: k-hat is 1.30" in told(found)


def test_no_number_is_chosen_beside_one_that_could_not_be_judged() -> None:
    def with_elpd(*elpds: float | None) -> Components:
        made = [candidate(k, 30.0) for k in range(1, len(elpds) + 1)]
        pairs = zip(made, elpds, strict=True)
        return components(*(replace(c, leave_one_out=replace(c.leave_one_out, elpd=elpd)) for c, elpd in pairs))

    beside = with_elpd(-9.0, -7.0, None)
    assert beside.choices["leave-one-out"] is None
    assert "cannot be relied on with 3 components, which might predict better" in told(beside)
    assert with_elpd(-9.0, -7.0, -8.0, None).choices["leave-one-out"] == 2


def test_a_test_that_is_withheld_decides_nothing() -> None:
    found = components(candidate(1, 30.0), candidate(2, 20.0, p_value=None), candidate(3, 19.0))
    assert found.choices["bootstrap test"] is None
    assert "1 against 2 withheld, since no optimum" in told(found)


def test_a_gain_within_two_standard_errors_is_no_difference() -> None:
    close = components(candidate(1, 30.0, gain=1.9), candidate(2, 20.0, gain=1.9))
    far = components(candidate(1, 30.0, gain=2.1), candidate(2, 20.0, gain=2.1))
    assert "no difference to rely on" in told(close)
    assert "no difference to rely on" not in told(far)


@pytest.mark.parametrize(
    ("log_ratio", "text"), [(0.4, "1.49"), (57.34, "8.0e+24"), (-4000.0, "6.6e-1738"), (None, "unreliable")]
)
def test_bayes_factors_beyond_what_exp_can_hold_have_digits(log_ratio: float | None, text: str) -> None:
    assert ratio(log_ratio) == text


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    store.write(two_coins(), tmp_path / "two-coin")
    return tmp_path / "two-coin"


def test_a_record_is_strict_json_and_read_back_as_it_was_written(directory: Path) -> None:
    found = components(candidate(1, 30.0), candidate(2, 20.0, log_bayes_factor=None, p_value=None))
    assert record.read(directory) is None
    path = record.write(found, directory)
    assert record.read(directory) == found

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    assert list(json.loads(path.read_text(), parse_constant=refuse)) == [
        *(f.name for f in fields(Components)),
        "digest",
    ]


def test_a_number_that_has_to_exist_and_does_not_is_refused(directory: Path) -> None:
    broken = replace(candidate(1, 30.0), log_likelihood=float("nan"))
    with pytest.raises(StoredResultError, match="log_likelihood"):
        record.write(replace(components(), candidates=[broken]), directory)
    assert record.read(directory) is None


@pytest.mark.parametrize(
    ("content", "reason"), [("{", "is not a comparison"), ('{"schema_version": 99}', "version 99")]
)
def test_a_damaged_record_names_the_command_that_makes_it_again(content: str, reason: str, directory: Path) -> None:
    (directory / record.FILE).write_text(content)
    with pytest.raises(StoredResultError, match=reason) as raised:
        record.read(directory)
    assert f"comparisons components two-coin --out {directory.parent}" in str(raised.value)


def test_the_report_has_a_section_once_there_is_a_record(directory: Path) -> None:
    page = write_report(directory)
    assert "How many components?" not in page.read_text()
    record.write(components(), directory)
    assert not is_current(directory)
    text = write_report(directory).read_text()
    assert is_current(directory)
    assert '<h2 id="components">How many components?</h2>' in text
    assert "AIC, BIC and ICL are lowest with 2 components." in text
    assert "at a bound &lt;&amp;&gt;" in text
    assert '<data value="20.0">20.00</data>' in text
    assert "1 → 2" in text
    assert "<td>33.1</td><td>33.1</td><td>unreliable</td>" in text


def rival(bic: float, gain: float) -> Rival:
    """Two components of another family, held against one of this; the Bayes factor and LOO are for the rival."""
    other = candidate(2, bic, gain=gain, log_bayes_factor=1.35)
    return Rival("saxony-families", "coins", "beta-binomials", 1, ["head_probabilities[k] ~ Beta(1, 1)"], other)


def test_another_model_of_the_same_data_is_told_criterion_by_criterion_and_shown(directory: Path) -> None:
    own, other = candidate(1, 20.0), rival(27.5, 1.5)
    sentence = conclusions.against(own, other)
    assert "This model (1 component of beta-binomials) and that of saxony-families (2 components of coins)" in sentence
    assert "BIC prefers this model by 7.50;" in sentence
    assert "leave-one-out prefers that one by 1.50 nats, standard error 1.00, which is next to nothing" in sentence
    assert sentence.endswith("marginal likelihood prefers that one by 1.35 nats.")
    unreliable = replace(other, candidate=candidate(2, 19.0, log_bayes_factor=None))
    assert conclusions.against(own, unreliable).endswith("AIC prefers that one by 1.00, which is next to nothing; BIC "
        "prefers that one by 1.00, which is next to nothing.")  # fmt: skip
    record.write(components(), directory)
    assert "Another model of the same data" not in write_report(directory).read_text()
    record.write(replace(components(), rival=other), directory)
    assert record.read(directory) == replace(components(), rival=other)
    text = write_report(directory).read_text()
    assert "Another model of the same data" in text
    assert "saxony-families, K = 2" in text
    assert '<data value="27.5">27.50</data>' in text


def test_a_record_of_other_data_is_not_shown_as_if_it_were_of_these(directory: Path) -> None:
    record.write(replace(components(), data_sha256="ef" * 32), directory)
    text = write_report(directory).read_text()
    assert "belongs to other data" in text
    assert "1 → 2" not in text


def command(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["components", *(str(argument) for argument in arguments)])


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, Any]]:
    """Let a comparison come to what is stored above, without fitting; what was asked is kept."""
    calls: list[tuple[Any, Any]] = []

    def pretended(name: str, most: int | None, **options: Any) -> Components:
        calls.append(((name, most), options))
        options["progress"]("K = 1: EM", 0, 0)
        return components()

    monkeypatch.setattr(comparing, "compare", pretended)
    return calls


def test_the_command_prints_tables_sentences_and_prior(asked: list[tuple[Any, Any]]) -> None:
    answer = command("two-coin", "--max", "2", "--seed", "5")
    assert answer.exit_code == 0
    assert asked[0][0] == ("two-coin", 2)
    assert (asked[0][1]["seed"], asked[0][1]["out"]) == (5, Path("results"))
    assert "K = 1: EM" in answer.stderr
    for text in ("Log evidence", "1 → 2", "0 of 99", "33.1", "unreliable", "AIC, BIC and ICL are lowest", "Beta(1, 1)"):
        assert text in answer.stdout


def test_the_command_prints_the_record_as_json(asked: list[tuple[Any, Any]]) -> None:
    answer = command("two-coin", "--json")
    assert answer.stdout == record.encode(components())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["tow-coin"], "'two-coin'"),
        (["two-coin", "--max", "1"], "--max"),
        (["two-coin-labelled"], "comparisons components two-coin"),
        (["two-coin", "--max", "6"], "5 rows"),
    ],
)
def test_what_cannot_be_asked_is_wrong_use(arguments: list[str], said: str) -> None:
    answer = command(*arguments)
    assert answer.exit_code == 2
    assert said in answer.stderr


def test_a_likelihood_that_falls_is_told_with_its_reason() -> None:
    falls = [candidate(1, 30.0), candidate(2, 20.0), candidate(3, 21.0)]
    assert "With 3 components the log-likelihood is 0.5 nats lower than with 2: with equal weights" in told(
        components(*falls)
    )
    assert "not nested" not in told(components(*falls[:2]))
    assert not any("not nested" in s for s in conclusions.sentences(falls, conclusions.choices(falls), free=True))
