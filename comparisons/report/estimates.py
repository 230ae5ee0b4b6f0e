"""The table of quantities: every digit for other programs, rounded for notebooks."""

from __future__ import annotations

import csv
import io

from comparisons.quantity_names import in_prose
from comparisons.report.digits import MISSING, decimals_for, percent, prose, rounded
from comparisons.report.explanations import OUTCOMES, check_in_words, key, ticks, to_report
from comparisons.report.explanations import told as verdict_told
from comparisons.report.reservations import (
    MARK,
    NOT_CONVERGED,
    converged,
    em_on_ridge,
    footnotes,
    map_on_ridge,
    readable,
)
from comparisons.results.result import Quantity, Result
from comparisons.results.strict_json import Number


def csv_table(result: Result) -> str:
    """Return one line for each quantity, with every digit; what does not exist is empty."""
    text, told = io.StringIO(), rows(result)
    if told:
        writer = csv.DictWriter(text, list(told[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows({key: "" if value is None else value for key, value in row.items()} for row in told)
    return text.getvalue()


def rows(result: Result) -> list[dict[str, Number | str]]:
    """All that is told of each quantity, by column; a number that does not exist is None, words are empty."""
    return [_row(result, quantity) for quantity in readable(result)]


def _row(result: Result, quantity: Quantity) -> dict[str, Number | str]:
    summary, gap = quantity.posterior, quantity.gap
    notes = {
        "em is one point of a ridge": em_on_ridge(result, quantity),
        "map is one point of a ridge": map_on_ridge(result, quantity),
        "chains have not converged": not converged(result),
    }
    return {
        "name": quantity.name,
        "em": quantity.em,
        "em_se": quantity.em_se,
        "em_low": quantity.em_low,
        "em_high": quantity.em_high,
        "shift": quantity.shift,
        "se_ratio": quantity.se_ratio,
        "profile_low": quantity.profile_low,
        "profile_high": quantity.profile_high,
        "profile_reason": quantity.profile_reason or "",
        "profile_coinciding": " and ".join(
            end for end, there in zip(("lower", "upper"), quantity.profile_coinciding, strict=True) if there
        ),
        "scale": quantity.scale,
        "map": quantity.map,
        "posterior_mean": summary.mean,
        "posterior_sd": summary.sd,
        "hdi_low": summary.hdi_low,
        "hdi_high": summary.hdi_high,
        "hdi_prob": summary.hdi_prob,
        "ess_bulk": summary.ess_bulk,
        "ess_tail": summary.ess_tail,
        "r_hat": summary.r_hat,
        "mcse": summary.mcse,
        "exact_mean": quantity.exact.mean if quantity.exact else None,
        "exact_sd": quantity.exact.sd if quantity.exact else None,
        "tail_below": quantity.tail_below,
        "tail_above": quantity.tail_above,
        "gap_prior": gap.prior if gap else None,
        "gap_mode_switch": gap.mode_switch if gap else None,
        "gap_averaging": gap.averaging if gap else None,
        "gap_total": gap.total if gap else None,
        "verdict": quantity.verdict,
        "degree": quantity.degree or "",
        "instead": quantity.instead or "",
        "missed": " and ".join(quantity.missed),
        "reason": quantity.reason,
        "note": "; ".join(note for note, holds in notes.items() if holds),
    }


def html_table(result: Result) -> str:
    """Return verdict, advice, the table, rounded, and the outcome of each check, for a notebook."""
    from models.display import as_html  # a report loads neither engine

    told = readable(result)
    probability = percent(told[0].posterior.hdi_prob, 0) if told else ""
    rows = []
    for q in told:
        decimals, mark = decimals_for(q.em_se, q.posterior.sd), MARK * em_on_ridge(result, q)
        wald, hdi = (
            f"{rounded(low, decimals)} to {rounded(high, decimals)}" if low is not None else MISSING
            for low, high in ((q.em_low, q.em_high), (q.posterior.hdi_low, q.posterior.hdi_high))
        )
        numbers = [rounded(value, decimals) for value in (q.em_se, q.mean, q.sd)]
        judged = ["".join(ticks(result, q)), to_report(q)]
        rows.append([in_prose(q.name), rounded(q.em, decimals) + mark, numbers[0], wald, *numbers[1:], hdi, *judged])
    sentences = [prose(result.summary), f"May I report EM's numbers? {prose(result.advice)}"]
    sentences += [] if converged(result) else [NOT_CONVERGED]
    sentences += [f"{mark} {sentence}" for mark, sentence in footnotes(result).items() if mark == MARK]
    checks = ", ".join(f"{OUTCOMES[c.outcome]} {check_in_words(c.name)}" for c in result.checks)
    sentences += [f"Integrity checks: {checks}"] if checks else []
    sentences += key(result) if rows else []
    head = ["", "EM", "SE", f"Wald {probability}", "Posterior mean", "SD", f"HDI {probability}", "MST", "Report"]
    return as_html(f"{result.title}: {verdict_told(result.verdict, result.degree)}", sentences, head, rows, ".table")
