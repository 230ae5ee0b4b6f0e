"""The table of quantities: every digit for other programs, rounded for print as LaTeX and for notebooks."""

from __future__ import annotations

import csv
import io
import re

from comparisons.quantity_names import in_prose
from comparisons.report.digits import MISSING, decimals_for, percent, prose, rounded
from comparisons.report.explanations import KEY, KEY_MARKS, OUTCOMES, ticks, to_report
from comparisons.report.reservations import (
    END_MARK,
    MARK,
    NOT_CONVERGED,
    converged,
    em_on_ridge,
    end_marks,
    footnotes,
    map_on_ridge,
    readable,
)
from comparisons.results.files import directory_name
from comparisons.results.result import Quantity, Result
from comparisons.results.strict_json import Number

_LATEX = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "&": r"\&",
        "%": r"\%",
        "$": r"\$",
        "#": r"\#",
        "_": r"\_",
        "{": r"\{",
        "}": r"\}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "−": "$-$",
        "×": r"$\times$",
        "≤": r"$\leq$",
        "≥": r"$\geq$",
        MARK: r"\textdagger{}",
        END_MARK: r"\textdaggerdbl{}",
        "\u00a0": "~",
    }
)


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


def _verdict(judged: Quantity | Result) -> str:
    """With the degree of a difference."""
    return f"{judged.verdict}, {judged.degree}" if judged.degree else judged.verdict


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
        judged = ["".join(ticks(q)), to_report(q)]
        rows.append([in_prose(q.name), rounded(q.em, decimals) + mark, numbers[0], wald, *numbers[1:], hdi, *judged])
    sentences = [prose(result.summary), f"May I report EM's numbers? {prose(result.advice)}"]
    sentences += [] if converged(result) else [NOT_CONVERGED]
    sentences += [f"{mark} {sentence}" for mark, sentence in footnotes(result).items() if mark == MARK]
    sentences += (
        [f"Checks: {', '.join(f'{OUTCOMES[c.outcome]} {c.name}' for c in result.checks)}"] if result.checks else []
    )
    sentences += [f"{KEY_MARKS} {KEY}"] if rows else []
    head = ["", "EM", "SE", f"Wald {probability}", "Posterior mean", "SD", f"HDI {probability}", "MST", "Report"]
    return as_html(f"{result.title}: {_verdict(result)}", sentences, head, rows, ".table")


def latex_table(result: Result) -> str:
    r"""Return a table for a paper, narrow enough for a column of text; it needs ``\usepackage{booktabs}``.

    Each quantity has three lines, its name, EM's numbers and the posterior's, so that no name makes the table wide.
    """
    probability = latex(f"{100 * result.quantities[0].posterior.hdi_prob:.0f}%") if result.quantities else ""
    notes = "" if converged(result) else f" {NOT_CONVERGED}"
    notes += "".join(f" {mark} {sentence}" for mark, sentence in footnotes(result).items())
    lines = [
        r"% Needs \usepackage{booktabs}.",
        rf"% Seed {result.seed}; {', '.join(f'{k} {v}' for k, v in result.provenance.versions.items())}.".replace(
            "\n", " "
        ),
        r"\begin{table}",
        r"  \centering\footnotesize",
        rf"  \caption{{{latex(result.title)}. EM: maximum likelihood, standard error, {probability} Wald and "
        rf"profile-likelihood intervals. Posterior: mean, standard deviation and {probability} highest-density interval of "
        rf"{result.sampler.chains} chains of {result.sampler.draws} draws. Verdict: {latex(_verdict(result))}.{latex(notes)}}}",
        rf"  \label{{tab:{_key(result.name)}}}\medskip",
        r"  \begin{tabular}{lrrcc}",
        r"    \toprule",
        r"    & Estimate & SE, SD & Wald, HDI & Profile \\",
        r"    \midrule",
        *(f"    {line}" for quantity in result.quantities for line in _latex_rows(result, quantity)),
        r"    \bottomrule",
        r"  \end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _key(name: str) -> str:
    """Return a name as a label of LaTeX, which takes no special characters."""
    return re.sub(r"[^A-Za-z0-9.-]", "-", directory_name(name))


def _latex_rows(result: Result, quantity: Quantity) -> list[str]:
    summary = quantity.posterior
    decimals = decimals_for(quantity.em_se, summary.sd)

    def cell(value: Number) -> str:
        return "--" if value is None else latex(rounded(value, decimals))

    def interval(low: Number, high: Number, marks: tuple[str, str] = ("", "")) -> str:
        return (
            "--" if low is None and high is None else f"[{cell(low)}{latex(marks[0])}, {cell(high)}{latex(marks[1])}]"
        )

    em = cell(quantity.em) + (latex(MARK) if em_on_ridge(result, quantity) else "")
    wald = interval(quantity.em_low, quantity.em_high)
    profile = interval(quantity.profile_low, quantity.profile_high, end_marks(quantity))
    hdi = interval(summary.hdi_low, summary.hdi_high)
    name = in_prose(quantity.name)
    return [
        rf"\multicolumn{{5}}{{l}}{{{latex(name[0].upper() + name[1:])} ({latex(_verdict(quantity))})}} \\",
        rf"\quad EM & {em} & {cell(quantity.em_se)} & {wald} & {profile} \\",
        rf"\quad Posterior & {cell(quantity.mean)} & {cell(quantity.sd)} & {hdi} & \\",
    ]


def latex(text: str) -> str:
    r"""Escape what LaTeX takes for its own.

    Examples
    --------
    >>> latex("head_probabilities[A] & 5%")
    'head\\_probabilities[A] \\& 5\\%'
    """
    # Superscripts of a power of ten, as written by `digits.significant`.
    superscripts = "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"
    # An empty line would end a paragraph, which no caption and no cell can hold; what does not break a line stays.
    escaped = re.sub(r"[ \t\r\n]*[\t\r\n][ \t\r\n]*", " ", text).translate(_LATEX).replace(MISSING, "--")
    for digit, plain in zip(superscripts, "-0123456789", strict=True):
        escaped = escaped.replace(digit, f"$^{{{plain}}}$")
    return escaped
