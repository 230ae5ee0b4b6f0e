"""A report says all that the result says, stands alone, and is the same for the same result."""

from __future__ import annotations

import csv
import io
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, is_dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from comparisons.paper.tables import latex_table
from comparisons.quantity_names import in_prose
from comparisons.report import is_current, reservations, write_index, write_report
from comparisons.report.appearance import shown
from comparisons.report.digits import decimals_for, prose, rounded, significant
from comparisons.report.estimates import csv_table
from comparisons.report.explanations import legend, limits, sentences, ticks
from comparisons.results import store
from comparisons.summary import adequacy
from tests.report_pages import NOTHING_TO_TELL_APART, RESULTS, page
from tests.stored_results import two_coins


def test_pages_are_well_formed_and_name_each_thing_once(out: Path, name: str) -> None:
    for report in (page(out / name / "report.html"), page(out / "index.html")):
        assert [each for each, times in report.ids.items() if times > 1] == []
        assert report.references <= set(report.ids)
        assert report.elements["main"] == report.elements["h1"] == 1
    assert report.elements["script"] == 1, "of the index"


def test_every_link_leads_somewhere_and_none_out_of_the_results(out: Path, name: str) -> None:
    for path in (out / name / "report.html", out / "index.html"):
        report = page(path)
        for link in report.links:
            if link.startswith("#"):
                assert link[1:] in report.ids
            elif link != "data:,":
                assert (path.parent / link).exists()


def numbers(value: Any) -> Iterator[float]:
    """Every number of a quantity, of its posterior and of its gap; the probability of an interval is the same for all."""
    for name, field in asdict(value).items():
        part = getattr(value, name)
        if is_dataclass(part):
            yield from numbers(part)
        elif isinstance(field, float) and name != "hdi_prob":
            yield float(field)


def test_every_number_of_a_quantity_is_in_the_page_with_all_its_digits(out: Path, name: str) -> None:
    values = page(out / name / "report.html").values
    found = [number for q in reservations.readable(RESULTS[name]()) for number in numbers(q)]
    assert found
    assert [number for number in found if repr(number) not in values] == []


def test_every_quantity_and_check_has_its_row_and_every_optimum_its_column(out: Path, name: str) -> None:
    result = RESULTS[name]()
    rows = page(out / name / "report.html").rows
    for quantity in result.quantities:
        (row,) = (row for row in rows if row[0] == in_prose(quantity.name) and len(row) == 12)
        assert row[1].startswith(rounded(quantity.em, decimals_for(quantity.em_se, quantity.posterior.sd)))
    for check in result.checks:
        assert [row[1] for row in rows if row[0] == check.title + check.name] == [check.outcome]
    optima = [significant(mode.log_likelihood, 9) for mode in result.em.modes]
    assert [row[1:] for row in rows if row[0] == "Log-likelihood (nats)"] == ([optima] if optima else [])


def test_everything_told_is_in_the_page(out: Path, name: str) -> None:
    result = RESULTS[name]()
    text = page(out / name / "report.html").text
    told = [result.title, result.question, result.summary, result.verdict, result.data.source, result.data.sha256]
    told += [
        result.advice,
        result.model.prior_reason,
        result.provenance.command,
        result.provenance.key,
        *result.reasons,
    ]
    told += [*result.model.formula, *result.model.prior, *(finding.text for finding in result.findings)]
    told += [sentence for q in result.quantities for sentence in sentences(q.reason)]
    told += [check.explanation for check in result.checks]
    parts = result.model_checks
    told += [part.sentence for part in (parts.goodness_of_fit, parts.predictive, parts.prior_sensitivity)]
    told += [f"{package} {version}" for package, version in result.provenance.versions.items()]
    for each in told:
        assert " ".join(prose(each).split()) in text
    assert "The verdict is about the two fits and not about the model: nothing in this section changes it." in text
    asked = f"comparisons components {result.name} asks how many the data need."
    assert ("is taken as given: " + asked in text) == result.model.given
    assert "NaN" not in text
    assert "None" not in text


def test_text_of_a_result_cannot_become_markup(out: Path) -> None:
    source = (out / "two-coin" / "report.html").read_text()
    assert "Two coins, coin hidden &lt;&amp;&gt;" in source
    assert "<&>" not in source


def test_a_failed_check_names_who_is_at_fault_and_what_to_do(out: Path) -> None:
    assert "A draw led higher. At fault: em. To do: Use more starts." in page(out / "two-coin" / "report.html").text


def test_every_figure_is_in_the_page_and_in_files(out: Path, name: str) -> None:
    report = page(out / name / "report.html")
    files = {path.name for path in (out / name / "figures").iterdir()}
    stems = {file.partition(".")[0] for file in files}
    explored = {"forest", "surface", "chains"} & stems
    assert files == {f"{stem}.{suffix}" for stem in stems for suffix in ("svg", "pdf")} | {f"{e}.png" for e in explored}
    assert report.elements["svg"] == report.elements["figcaption"] == len(stems)
    always = {"forest", "marginals", "chains", "ranks"}
    both = {"data-and-fits", "surface", "em-trace", "memberships"}
    assert (
        stems
        == {
            "two-coin": always | both | {"rootogram"},
            "faithful-2d": always | both | {"plane", "quantiles", "predictive"},
            "bare": always,
            "ridge": always | {"surface", "em-trace", "rootogram", "memberships"},
            "unconverged": always | {"em-trace", "rootogram", "memberships"},
        }[name]
    )


def test_every_number_of_the_model_checks_is_in_its_table(out: Path, name: str) -> None:
    checks = RESULTS[name]().model_checks
    report = page(out / name / "report.html")
    rows = {row[0]: row for row in report.rows if row}
    for distance in checks.goodness_of_fit.distances:
        free = [] if distance.degrees_of_freedom is None else [str(distance.degrees_of_freedom)]
        assert rows[distance.name][1:-1] == [significant(distance.value), *free, rounded(distance.p_value, 3)]
    for each in checks.predictive.statistics:
        assert rows[each.name][1:3] == [significant(each.observed, 4), significant(each.mean, 4)]
        assert rows[each.name][4] == rounded(each.p_value, 3)
    expected = [
        [
            q.name,
            rounded(q.prior, 3),
            rounded(q.likelihood, 3),
            "yes" if q.diagnosis else "no",
        ]
        if q.prior is not None
        else [q.name, rounded(q.likelihood, 3)]
        for q in checks.prior_sensitivity.quantities
    ]
    assert all(row in report.rows for row in expected)


def test_of_a_flat_prior_no_sensitivity_is_printed(out: Path) -> None:
    flat, informative = (page(out / name / "report.html") for name in ("two-coin", "faithful-2d"))
    assert ["Quantity", "Likelihood"] in flat.rows
    assert ["Quantity", "Prior", "Likelihood", "Prior matters"] in informative.rows


def test_figures_are_numbered_through(out: Path, name: str) -> None:
    numbers = [int(n) for n in re.findall(r"Figure (\d+)\. ", page(out / name / "report.html").text)]
    assert numbers == list(range(1, len(numbers) + 1))


def test_figures_of_an_older_result_are_removed(tmp_path: Path) -> None:
    store.write(two_coins(), tmp_path)
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "plane.svg").write_text("old")
    write_report(tmp_path)
    assert not (tmp_path / "figures" / "plane.svg").exists()


def test_the_same_result_makes_the_same_files(out: Path, tmp_path: Path) -> None:
    store.write(two_coins(), tmp_path / "two-coin")
    write_report(tmp_path / "two-coin")
    for path in sorted((out / "two-coin").rglob("*.*")):
        if path.name != "posterior.nc":
            assert (tmp_path / path.relative_to(out)).read_bytes() == path.read_bytes()


def test_what_belongs_to_a_family_is_said_in_the_words_that_its_result_brings(tmp_path: Path) -> None:
    result = two_coins()
    average = replace(result.quantities[0], name="mean_rate")
    words = {"prior": "weights and rates", "average": "mean_rate", "averaged": "Sum of weight times rate."}
    model = replace(result.model, notes=result.model.notes | words)
    store.write(replace(result, model=model, quantities=[*result.quantities, average]), tmp_path)
    told = " ".join(write_report(tmp_path).read_text(encoding="utf-8").split())
    assert "<dt><code>mean_rate</code></dt><dd>Sum of weight times rate.</dd>" in told
    assert "density of weights and rates themselves" in told
    assert not re.search("head probabilities or means|covariances", told)


def test_a_report_is_current_until_its_result_changes(tmp_path: Path) -> None:
    store.write(two_coins(), tmp_path)
    assert not is_current(tmp_path)
    write_report(tmp_path)
    assert is_current(tmp_path)
    store.write(replace(two_coins(), summary="Another."), tmp_path)
    assert not is_current(tmp_path)


def test_the_degree_of_a_difference_is_told_wherever_the_verdict_is(tmp_path: Path) -> None:
    one, other = two_coins().quantities
    slight = replace(one, verdict="differ", degree="slight")
    marked = replace(other, verdict="differ", degree="marked", instead="profile")
    result = replace(two_coins(), verdict="differ", quantities=[slight, marked])
    assert result.degree == "marked"
    assert replace(result, verdict="wrong").degree is None
    store.write(result, tmp_path)
    told = " ".join(write_report(tmp_path).read_text(encoding="utf-8").split())
    assert "differ markedly</span></h2>" in told
    assert "differ slightly</span></td>" in told
    assert [row[-1] for row in page(tmp_path / "report.html").rows if len(row) == 12 and row[0] != "Quantity"] == [
        "EM (Wald), slightly off",
        "posterior, or EM (profile)",
    ]
    missed = [replace(each, missed=["tails"]) for each in (slight, marked)]
    assert [ticks(result, each)[2] for each in missed] == ["≈", "✗"]
    beyond = replace(one, missed=[], shift=limits(result).shift + 0.01, se_ratio=1.0, tail_below=0.03, tail_above=0.03)
    assert ticks(result, beyond) == ["(✓)", "✓", "✓"], "no further than Monte Carlo error may explain"
    hanging = legend(replace(result, quantities=[beyond, marked]))["More draws"]
    assert hanging.endswith(f"run again with --draws {4 * result.sampler.draws}.")
    assert "More draws" not in legend(replace(result, quantities=[replace(beyond, shift=0.0)]))
    meant = {term: " ".join(told.split()) for term, told in legend(result).items()}
    known = legend(two_coins())
    assert meant["Marks"] == (
        "✓ within the limit; (✓) beyond it by no more than Monte Carlo error; ≈ beyond it, but only slightly off; ✗ beyond it; "
        "– not judged, or not found."
    )
    assert meant["Slightly off"] == (
        "EM's interval still holds 90 % to 98 % of the posterior, and the posterior mean is within 0.5 posterior SDs of EM's "
        "estimate."
    )
    shown = page(tmp_path / "report.html").text
    assert all(f"{term}{meaning}" in shown for term, meaning in meant.items())
    assert "≈" not in known["Marks"]
    assert "Slightly off" not in known
    assert "Verdict: differ markedly." in latex_table(result)
    assert "(differ slightly)" in latex_table(result)
    assert "differ markedly" in result._repr_html_()
    rows = list(csv.DictReader(io.StringIO(csv_table(result))))
    assert [(row["degree"], row["instead"]) for row in rows] == [("slight", ""), ("marked", "profile")]


def test_the_index_lists_all_results_in_the_order_asked_for(out: Path) -> None:
    text = page(out / "index.html").text
    titles = [RESULTS[name]().title for name in ("faithful-2d", "two-coin")]
    assert text.index(titles[0]) < text.index(titles[1])
    for make in RESULTS.values():
        assert make().summary in text
        assert make().question in text


def test_the_index_says_of_a_damaged_result_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "heights").mkdir()
    (tmp_path / "heights" / "result.json").write_text("{")
    text = page(write_index(tmp_path)).text
    assert "heights" in text
    assert "run the comparison again" in text


def test_a_report_loads_neither_engine(tmp_path: Path) -> None:
    store.write(two_coins(), tmp_path)
    program = (
        "import sys; from comparisons.report import write_report; write_report(sys.argv[1]);"
        "print({'em', 'models', 'pymc', 'pytensor', 'arviz', 'nutpie'} & set(sys.modules), 'matplotlib.pyplot' in sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-c", program, tmp_path], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "set() False"


def test_a_point_of_a_ridge_is_marked_wherever_it_is_printed(out: Path) -> None:
    report = page(out / "ridge" / "report.html")
    flat, known = (row for row in report.rows if len(row) == 12 and row[0].startswith("head probability"))
    assert "†" in flat[1]
    assert flat[8].startswith("–")
    assert "†" not in "".join(known)
    assert "✓" in known[8]
    of_modes = [row for row in report.rows if len(row) == 6 and row[0].startswith("head_probabilities")]
    assert ["†" in row[3] for row in of_modes] == [True, False]
    assert f"† {reservations.RIDGE}" in report.text
    assert [row["note"] for row in csv.DictReader(io.StringIO((out / "ridge" / "estimates.csv").read_text()))] == [
        "em is one point of a ridge; map is one point of a ridge",
        "",
    ]
    latex_rows = latex_table(RESULTS["ridge"]()).partition("\\midrule")[2].splitlines()
    assert [row.count(r"\textdagger{}") for row in latex_rows[1:7]] == [0, 1, 0, 0, 0, 0]


def test_an_end_at_which_components_coincide_is_marked(out: Path) -> None:
    report = page(out / "two-coin" / "report.html")
    rows = {row[0]: row[4] for row in report.rows if len(row) == 12 and row[0].startswith("head probability")}
    low, _, high = rows["head probability of component A"].partition(" to ")
    assert low.endswith("‡")
    assert "‡" not in high + rows["head probability of component B"]
    assert f"‡ {reservations.COINCIDING}" in report.text
    assert "‡" not in page(out / "faithful-2d" / "report.html").text
    latex = latex_table(RESULTS["two-coin"]())
    assert rf"{low[:-1]}\textdaggerdbl{{}}, {high}" in latex
    assert reservations.COINCIDING in latex


def test_gap_and_tails_by_quadrature_are_told_from_those_of_draws(out: Path) -> None:
    result, report = two_coins(), page(out / "two-coin" / "report.html")
    exact = next(q for q in result.quantities if q.exact is not None)
    decimals = decimals_for(exact.em_se, exact.posterior.sd)
    (row,) = (row for row in report.rows if len(row) == 12 and row[0] == in_prose(exact.name))
    assert row[5:7] == [rounded(exact.mean, decimals), rounded(exact.sd, decimals)]
    assert any(row[:1] == ["Quantity"] and row[-2:] == ["Mean of the draws", "SD of the draws"] for row in report.rows)
    assert "Quadrature gives this posterior exactly" in report.text
    by_draws = page(out / "faithful-2d" / "report.html")
    assert "Quadrature gives this posterior exactly" not in by_draws.text
    assert not any("Mean of the draws" in row for row in by_draws.rows)


def test_on_a_ridge_no_optimum_no_rate_and_no_maximum_is_claimed(out: Path) -> None:
    text = page(out / "ridge" / "report.html").text
    assert (
        "18 starts ended at points of equal likelihood, of which one is shown, not always that of the table of estimates."
        in text
    )
    assert "Rate–" in text
    assert "to where EM ended, one point of a ridge (cross)" in text
    assert "Not drawn where it is one point of a ridge: EM and MAP." in text
    assert "Not regular" not in text


@pytest.mark.parametrize(("rate", "shown"), [(-2e-16, None), (0.0, None), (None, None), (0.37, 0.37), (0.9977, 0.9977)])
def test_a_closed_form_has_no_rate(rate: float | None, shown: float | None) -> None:
    result = two_coins()
    assert reservations.rate(replace(result, em=replace(result.em, rate=rate))) == shown


def test_chains_that_have_not_converged_are_flagged_and_compared_with_nothing(out: Path) -> None:
    report = page(out / "unconverged" / "report.html")
    assert report.text.count(reservations.NOT_CONVERGED) == 1
    rows = [row for row in report.rows if len(row) == 12 and row[0].startswith("head probability")]
    assert [[cell[0] for cell in row[8:11]] for row in rows] == [["–"] * 3] * 2
    judged = [row for row in report.rows if len(row) == 7 and row[1] == "logit"]
    assert [row[2:6:3] for row in judged] == [["–"] * 2] * 2
    gaps = [row for row in report.rows if len(row) == 6 and row[0].startswith("head_probabilities")]
    assert [row[-1] for row in gaps] == ["–"] * 2
    assert "(sampled again 2 times with more draws or a higher acceptance target)" in report.text
    for row in csv.DictReader(io.StringIO((out / "unconverged" / "estimates.csv").read_text())):
        assert row["note"] == "chains have not converged"
        assert row["gap_total"] == row["tail_below"] == ""
    assert reservations.NOT_CONVERGED in latex_table(RESULTS["unconverged"]())
    assert reservations.NOT_CONVERGED not in page(out / "two-coin" / "report.html").text


def test_the_limits_printed_are_the_limits_applied(out: Path) -> None:
    text = page(out / "two-coin" / "report.html").text
    assert f"within {adequacy.SHIFT} posterior SD" in text
    assert f"{100 * adequacy.TAILS[0]:.0f} % to {100 * adequacy.TAILS[1]:.0f} % of the posterior" in text
    assert f"SE / SD within {adequacy.RATIO[0]} to {adequacy.RATIO[1]}" in text
    share = " to ".join(f"{100 * end:.0f} %" for end in adequacy.SLIGHT_SHARE)
    assert f"still holds {share} of the posterior, with its mean within {adequacy.SLIGHT_SHIFT} SD" in text
    assert f"only beyond {adequacy.BEYOND:g} Monte Carlo errors" in text


def test_a_slice_of_the_log_likelihood_is_called_one(out: Path) -> None:
    slice_of_many = page(out / "faithful-2d" / "report.html").text
    assert "This is a slice: the other parameters are held at EM's estimate." in slice_of_many
    assert "Draws may lie far outside the contours" in slice_of_many
    assert "This is a slice" not in page(out / "two-coin" / "report.html").text


def test_a_caption_says_how_many_draws_are_drawn(out: Path) -> None:
    assert "in 500 of the 1000 posterior draws, evenly thinned." in page(out / "two-coin" / "report.html").text
    assert "the means in 250 of the 1000 posterior draws" in page(out / "faithful-2d" / "report.html").text
    assert shown(300, 300) == "the 300 posterior draws"


def test_a_report_says_first_whether_components_can_be_told_apart_then_by_how_much(out: Path) -> None:
    report = page(out / "two-coin" / "report.html")
    told = report.text.partition("Label switching")[2]
    assert told.startswith(" " + prose(two_coins().labels.sentence).split(":")[0])
    assert [row for row in report.rows if row and row[0] in ("ordering, ECR", "ordering, Stephens")] == [
        ["ordering, ECR", "7.95\u00a0%", "1\u00a0%"],
        ["ordering, Stephens", "0.00\u00a0%", "1\u00a0%"],
    ]
    assert ["a row comes from a component", "heads 8 of 10 <&>, component A", "0.270", "0.340"] in report.rows
    assert ["heads 7", "0.600", "0.631", "0.656", "0.408 to 0.892"] in report.rows
    assert "The probability of component A is 1 minus this." in report.text
    assert "one point of a ridge: other points" in page(out / "ridge" / "report.html").text
    subset = page(out / "faithful-2d" / "report.html").text
    assert "Pairs are of 4 of the 272 distinct rows" in subset
    assert "A mark for each of 4 of the 272 distinct rows" in subset


def test_without_anything_to_tell_apart_no_alignment_is_printed(out: Path) -> None:
    text = page(out / "bare" / "report.html").text
    assert NOTHING_TO_TELL_APART.sentence in text
    assert "ECR" not in text
