"""Results as text: the table at the end of a run, and one result in full."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from comparisons.command.processes import Crashed, Outcome
from comparisons.command.progress import COLOURS
from comparisons.components.record import Components
from comparisons.methods.record import Methods
from comparisons.quantity_names import in_prose
from comparisons.report.digits import MISSING, decimals_for, percent, prose, ratio, rounded, significant
from comparisons.report.explanations import OUTCOMES, check_in_words, key, ticks, to_report
from comparisons.report.explanations import told as verdict_told
from comparisons.report.methods import limits_told
from comparisons.report.reservations import (
    MARK,
    NOT_CONVERGED,
    converged,
    em_on_ridge,
    end_marks,
    footnotes,
    readable,
)
from comparisons.results.result import Quantity, Result
from comparisons.results.strict_json import Number

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from comparisons.results.store import LaterRun
    from comparisons.study.campaign import Ended
    from comparisons.study.rates import Rate

# Columns where the output is no terminal: wide enough that no cell of a table breaks.
PLAIN_WIDTH = 200
NUMBERS = ("EM", "SE", "Mean", "SD", "MST")


def print_outcomes(outcomes: Sequence[Outcome]) -> None:
    """Print name, verdict and summary of each comparison: a table on a terminal, else a line each."""
    rows = [
        (each.name, "crashed", each.reason) if isinstance(each, Crashed) else (each.name, each.verdict, each.summary)
        for each in outcomes
    ]
    if not sys.stdout.isatty():
        width = max((len(name) for name, _, _ in rows), default=0)
        for name, verdict, summary in rows:
            print(f"{name:<{width}}  {verdict:<12}  {summary}")
        return
    table = _table("Comparison", "Verdict", "Summary")
    for name, verdict, summary in rows:
        table.add_row(name, _coloured(verdict), summary)
    _console().print(table)


def print_result(result: Result, later: LaterRun | None = None) -> None:
    """Print verdict, advice and reasons, the table of quantities, the outcome of each check, and what a later run came to."""
    from rich.text import Text

    console = _console()
    console.print(Text(result.title, style="bold"))
    console.print(prose(result.question))
    console.print(f"{result.data.n} rows: {prose(result.data.description)}")
    console.print()
    if later is not None:
        console.print(Text(f"{prose(later.told)} What follows is of an earlier run.", style="bold red"))
        console.print()
    verdict = Text(
        verdict_told(result.verdict, result.degree), _colour("agree" if result.degree == "slight" else result.verdict)
    )
    console.print(Text.assemble("Verdict: ", verdict, f" – {prose(result.summary)}"))
    console.print(f"May I report EM's numbers? {prose(result.advice)}")
    for reason in result.reasons:
        console.print(f"  * {prose(reason)}")
    console.print()
    if not converged(result):
        console.print(NOT_CONVERGED)
    console.print(_quantities(result))
    for line in key(result):
        console.print(f"  {line}")
    for mark, sentence in footnotes(result).items():
        console.print(f"  {mark} {sentence}")
    console.print()
    marks = [Text(f"{OUTCOMES[c.outcome]} {check_in_words(c.name)}", style=_colour(c.outcome)) for c in result.checks]
    console.print(Text("   ").join([Text("Integrity checks:"), *marks]))
    for check in result.checks:
        if check.engine:
            console.print(f"  At fault in “{check_in_words(check.name)}”: {check.engine}.")
    console.print(f"Model: {'; '.join(result.model.formula)}")
    console.print(f"Prior: {'; '.join(result.model.prior)}")
    console.print(
        f"{result.sampler.name}, {result.sampler.chains} chains of {result.sampler.draws} draws, seed {result.seed}. "
        "All else is in the report. The verdict is about the two fits, not about the model."
    )
    if result.model.given:
        of = result.model.n_components
        asked = f"comparisons components {result.name}"
        console.print(f"The number of components, {of}, is taken as given: {asked} asks how many the data need.")


def print_study(study: str, out: Path, ended: Ended, *, as_json: bool) -> None:
    """Print the rates of all tables of a study in ``out``, and what crashed now."""
    import msgspec

    from comparisons.study import rates
    from comparisons.study.audits.table import lines
    from comparisons.study.audits.table import rates as rates_of_audits

    for task, error in ended.crashed.items():
        print(f"{task.setting}, seed {task.seed}{task.fault and f', {task.fault}'}: crashed: {error}", file=sys.stderr)
    if study == "audits":
        of_audits = rates_of_audits(rates.read(out, study))
        print(
            msgspec.json.format(msgspec.json.encode(of_audits), indent=2).decode()
            if as_json
            else "\n".join(lines(of_audits))
        )
        return
    rows = rates.read(out, study)
    if study == "calibration":
        found: Any = rates.calibration(rows)
    else:
        found = {"clean": rates.clean, "curves": rates.curves}.get(study, rates.planted)(rows)
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
        return
    print(f"{out}: {ended.rows} rows", file=sys.stderr)
    for table in _rates(found):
        _console().print(table)


def _rates(found: Any) -> list[Table]:
    """Tables of what a study came to."""
    from comparisons.study.rates import CalibrationRates, CleanRates, CurvePoint

    if isinstance(found, CalibrationRates):
        ranks = _table("Setting", "Fault", "Simulations", "Smallest p (Bonferroni)", "Of")
        for each in found.ranks:
            worst = min(each.p_values, key=lambda name: each.p_values[name])
            ranks.add_row(each.setting, each.fault or "none", str(each.simulations), significant(each.smallest), worst)
        coverage = _table("Family", "n", "Separation", "Intervals that hold the truth", "Withheld")
        for cell in found.coverage:
            upper = "" if cell.separation_to is None else f" to {cell.separation_to:g}"
            coverage.add_row(
                cell.family, str(cell.n), f"{cell.separation_from:g}{upper}", _rate(cell.held), _rate(cell.withheld)
            )
        return [ranks, coverage]
    if found and isinstance(found[0], CleanRates):
        table = _table("Setting", "agree", "differ", "inconclusive", "wrong", "wrong or inconclusive by")
        for setting in found:
            told = "; ".join(f"{name}: {count}" for name, count in setting.reasons.items())
            table.add_row(setting.name, *(_rate(rate) for rate in setting.verdicts.values()), told)
        return [table]
    if found and isinstance(found[0], CurvePoint):
        curves = _table("Fault", "Family", "Size", "Detected")
        for point in found:
            curves.add_row(point.curve, point.family, f"{point.size:g}", _rate(point.detected))
        return [curves]
    table = _table("Fault", "Changes anything", "Detected", "Engine named", "By")
    for fault in found:
        by = "; ".join(f"{name}: {count}" for name, count in fault.by.items())
        table.add_row(fault.name, _rate(fault.changed), _rate(fault.detected), _rate(fault.named), by)
    return [table]


def _rate(rate: Rate) -> str:
    if not rate.of:
        return MISSING
    return f"{rate.count} of {rate.of} ({100 * rate.low:.1f} to {100 * rate.high:.1f} %)"


def _quantities(result: Result) -> Table:
    probability = percent(result.quantities[0].posterior.hdi_prob, 0) if result.quantities else ""
    wald, profile, hdi = (f"{kind} {probability}" for kind in ("Wald", "Profile", "HDI"))
    table = _table("Quantity", "EM", "SE", wald, profile, "Mean", "SD", hdi, "MST", "Report")
    for column in table.columns[1:-1]:
        column.justify = "right"
        # On a narrow terminal names and intervals break; a number stays whole.
        column.no_wrap = str(column.header) in NUMBERS
    for quantity in readable(result):
        summary = quantity.posterior
        d = decimals_for(quantity.em_se, summary.sd)
        table.add_row(
            in_prose(quantity.name),
            rounded(quantity.em, d) + MARK * em_on_ridge(result, quantity),
            rounded(quantity.em_se, d),
            _interval(quantity.em_low, quantity.em_high, d),
            _profile(quantity, d),
            rounded(quantity.mean, d),
            rounded(quantity.sd, d),
            _interval(summary.hdi_low, summary.hdi_high, d),
            "".join(ticks(result, quantity)),
            to_report(quantity),
        )
    return table


def print_components(components: Components) -> None:
    """Print what was found for each number of components, and what it says."""
    from rich.text import Text

    console = _console()
    console.print(Text(f"{components.title}: how many components?", style="bold"))
    console.print()
    for table in (_criteria(components), _evidences(components), _steps(components)):
        for column in table.columns[1:]:
            column.justify = "right"
        console.print(table)
        console.print()
    for sentence in components.conclusions:
        console.print(f"  * {prose(sentence)}")
    console.print()
    console.print(f"Prior: {prose('; '.join(components.prior))}. {prose(components.prior_note)}")


def print_methods(methods: Methods) -> None:
    """Print how far each method is off, what it took, and which would do."""
    from rich.text import Text

    console = _console()
    console.print(Text(f"{methods.title}: which method would do?", style="bold"))
    console.print()
    table = _table("Method", "Good enough", "Mean off, SDs", "SD ratio", "Tail", "CPU s", "ESS/s")
    for column in table.columns[2:]:
        column.justify = "right"
    for each in methods.methods:
        numbers = (each.mean, each.sd_ratio, each.tail)
        rates = (significant(value, 2) for value in (each.seconds, each.per_second))
        table.add_row(each.name, each.good or MISSING, *(rounded(value, 3) for value in numbers), *rates)
    console.print(table)
    console.print()
    for each in methods.methods:
        if each.reason:
            console.print(f"  * {each.name}: {prose(each.reason)}")
    console.print(f"{prose(methods.conclusion)} Held against {methods.reference}.")
    console.print(prose(limits_told(methods)))


def _criteria(components: Components) -> Table:
    table = _table("K", "Log-lik.", "Parameters", "SD ratio", "AIC", "BIC", "ICL", "Entropy")
    for each in components.candidates:
        c = each.criteria
        table.add_row(
            f"{each.n_components}{MARK if each.reservation else ''}",
            rounded(each.log_likelihood, 3),
            str(each.n_parameters),
            rounded(each.smallest_ratio, 2),
            *(rounded(value, 2) for value in (c.aic, c.bic, c.icl, c.entropy)),
        )
    return table


def _evidences(components: Components) -> Table:
    table = _table(
        "K", "LOO elpd", "SE", "Gain on K − 1", "SE", "Largest Pareto k", "Log evidence", "MC error", "k-hat"
    )
    for each in components.candidates:
        loo, evidence = each.leave_one_out, each.evidence
        table.add_row(
            str(each.n_components),
            *(
                rounded(v, 2)
                for v in (loo.elpd, loo.standard_error, loo.difference, loo.difference_error, loo.largest_k)
            ),
            rounded(evidence.log_evidence, 3) if evidence.reason is None else "unreliable",
            rounded(evidence.error, 3),
            rounded(evidence.k_hat, 2),
        )
    return table


def _steps(components: Components) -> Table:
    steps = [each for each in components.candidates if each.bayes_factor and each.likelihood_ratio]
    changed = list(steps[0].bayes_factor.under) if steps and steps[0].bayes_factor else []
    table = _table("Step", "2 × gain", "Bootstrap p", "95 % interval", "Exceed", "Bayes factor", *changed)
    for each in steps:
        factor, test = each.bayes_factor, each.likelihood_ratio
        assert factor is not None
        assert test is not None
        table.add_row(
            f"{each.n_components - 1} → {each.n_components}",
            rounded(test.statistic, 3),
            rounded(test.p_value, 2),
            _interval(test.p_low, test.p_high, 3),
            f"{test.exceeding} of {test.samples}" if test.samples else "withheld",
            *(prose(ratio(value)) for value in (factor.log_value, *factor.under.values())),
        )
    return table


def _interval(low: Number, high: Number, decimals: int | None) -> str:
    return MISSING if low is None or high is None else f"{rounded(low, decimals)} to {rounded(high, decimals)}"


def _profile(quantity: Quantity, decimals: int | None) -> str:
    """The profile-likelihood interval, of which one end may be missing."""
    low, high = quantity.profile_low, quantity.profile_high
    if low is None and high is None:
        return MISSING
    of_low, of_high = end_marks(quantity)
    return f"{rounded(low, decimals)}{of_low} to {rounded(high, decimals)}{of_high}"


def _coloured(word: str) -> Text:
    from rich.text import Text

    return Text(word, style=_colour(word))


def _colour(word: str) -> str:
    return COLOURS.get(word, {"pass": "green", "fail": "red", "crashed": "red"}.get(word, ""))


def _table(*headings: str) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table


def _console() -> Console:
    from rich.console import Console

    width = None if sys.stdout.isatty() else PLAIN_WIDTH
    return Console(width=width, markup=False, highlight=False, emoji=False, soft_wrap=False)
