"""What was run and what came out, in paragraphs for an article; every number is the result's, or a published error rate's."""

from __future__ import annotations

from collections.abc import Iterable

from comparisons.paper.markup import Code, Paragraph, Part, short
from comparisons.paper.references import cite, drawn
from comparisons.paper.tables import probability, row
from comparisons.quantity_names import listed
from comparisons.report.digits import percent, prose, rounded, significant
from comparisons.report.error_rates import sentences as rates_told
from comparisons.report.explanations import check_in_words, sentences, told
from comparisons.report.reservations import NOT_CONVERGED, converged
from comparisons.results.result import Outcome, Quantity, Result

# Quantities told in a sentence each; the table has all.
MOST_TOLD = 4
LONGEST_STATEMENT = 300


def methods(result: Result) -> list[Paragraph]:
    """Return what was fitted, how, how it was judged, and with what programs."""
    return [_model(result), _em(result), _posterior(result), _judgement(result), _programs(result)]


def results(result: Result) -> list[Paragraph]:
    """Return the verdict with its reason, the numbers, and how the model fits."""
    differing = [q for q in result.quantities if q.verdict != "agree"]
    chosen = (differing + [q for q in result.quantities if q.verdict == "agree"])[:MOST_TOLD]
    checks = result.model_checks
    fits = [
        *sentences(checks.goodness_of_fit.sentence),
        *sentences(checks.predictive.sentence),
        *sentences(checks.prior_sensitivity.sentence),
    ]
    methods_of_fit = cite(result, "gelman1996", "kallioinen2024")
    first = f"The verdict is “{told(result.verdict, result.degree)}”. {prose(result.summary)}"
    first += "" if converged(result) else f" {NOT_CONVERGED}"
    numbers = " ".join(_numbers(result, q) for q in chosen)
    return [
        [first, f" May EM’s numbers be reported? {prose(result.advice)}"],
        *([[numbers, " All quantities are in the table."]] if chosen else []),
        [prose(" ".join(fits)), *([" These checks follow", methods_of_fit, "."] if methods_of_fit else [])],
    ]


def _model(result: Result) -> Paragraph:
    model = result.model
    names = f" ({listed([short(name) for name in model.component_names])})" if model.component_names else ""
    options = [f"{key.replace('_', ' ')} {value}" for key, value in model.further_options.items()]
    return [
        f"The data: {short(result.data.description, LONGEST_STATEMENT)} (n = {result.data.n})",
        cite(result, "data"),
        f". We fitted a model of the family {model.family} with {model.parts}{names}: ",
        *_statements(model.formula),
        f". Options: {prose(listed(options or ['none']))}. The prior was ",
        *_statements(model.prior),
        f". {prose(model.prior_reason)}",
    ]


def _statements(lines: Iterable[str]) -> list[Part]:
    parts: list[Part] = []
    for line in lines:
        parts += ["; "] * bool(parts) + [Code(short(line, LONGEST_STATEMENT))]
    return parts


def _em(result: Result) -> Paragraph:
    em = result.em
    starts = sum(mode.starts for mode in em.modes)
    regular = sum(mode.regular for mode in em.modes)
    optima = _count(regular, "distinct maximum", "distinct maxima")
    if regular < len(em.modes):
        of_which = _count(regular, "is a regular maximum", "are regular maxima")
        optima = f"{_count(len(em.modes), 'end point', 'end points')}, of which {of_which}"
    searched = f", from {starts} starting points, which led to {optima}" if starts else ""
    stop = (
        f", each until the log-likelihood changed by less than {significant(em.stop_change)} nats or by no more than "
        "rounding"
        if em.stop_change is not None
        else ""
    )
    reached = (
        f" and a log-likelihood of {significant(em.log_likelihood, 7)} nats" if em.log_likelihood is not None else ""
    )
    parts: list[Part] = [
        "Maximum-likelihood estimates were computed by the EM algorithm",
        cite(result, "dempster1977"),
        f"{searched}{stop}. The best run ended after {_count(em.iterations, 'iteration')} "
        f"with the status “{em.status}”{reached}.",
    ]
    if any(q.em_se is not None for q in result.quantities):
        parts += [" Standard errors are from the observed information", cite(result, "louis1982")]
        parts += [
            f"; Wald intervals of {probability(result)} are on the log or logit scale where a parameter is bounded."
        ]
    if em.standard_error_reason:
        parts += [f" Standard errors are withheld: {prose(em.standard_error_reason.rstrip('.'))}."]
    if cite(result, "venzon1988"):
        parts += [
            " Intervals of the same probability are also from the profile likelihood",
            cite(result, "venzon1988"),
            ".",
        ]
    return parts


def _posterior(result: Result) -> Paragraph:
    sampler = result.sampler
    if not drawn(result):
        return ["No posterior sample was drawn."]
    parts: list[Part] = [
        f"The posterior was sampled with PyMC by {sampler.name}",
        cite(result, "hoffman2014", "tierney1994", "abril2023"),
        f" in {sampler.chains} chains of {sampler.draws} draws each, after {sampler.tune} tuning steps with a target "
        f"acceptance of {sampler.target_accept:g}; {_count(sampler.divergences, 'transition')} diverged"
        f"{f', and sampling was repeated {_count(sampler.reruns, "time")} with other settings' if sampler.reruns else ''}.",
    ]
    each = [q.posterior for q in result.quantities]
    extremes = (
        ("largest R-hat", max((p.r_hat for p in each if p.r_hat is not None), default=None), 4),
        (
            "smallest bulk effective sample size",
            min((p.ess_bulk for p in each if p.ess_bulk is not None), default=None),
            0,
        ),
        (
            "smallest tail effective sample size",
            min((p.ess_tail for p in each if p.ess_tail is not None), default=None),
            0,
        ),
    )
    diagnosed = [f"the {words} was {rounded(found, digits)}" for words, found, digits in extremes if found is not None]
    if diagnosed:
        parts += [f" Over all quantities, {listed(diagnosed)}", cite(result, "vehtari2021"), "."]
    if any(q.exact for q in result.quantities):
        parts += [" Posterior means and standard deviations are by quadrature where that is exact."]
    if result.labels.order:
        parts += [f" {prose(result.labels.order)}"]
    if result.labels.ordering_ecr is not None:
        parts += [
            f" That order and equivalence classes (ECR) labelled {percent(result.labels.ordering_ecr)} of "
            f"{result.labels.draws} draws differently, where {percent(result.labels.threshold)} is allowed",
            cite(result, "papastamoulis2010", "stephens2000"),
            ".",
        ]
    return parts


def _judgement(result: Result) -> Paragraph:
    outcomes: dict[Outcome, list[str]] = {}
    for check in result.checks:
        outcomes.setdefault(check.outcome, []).append(check_in_words(check.name))
    words: dict[Outcome, str] = {
        "pass": "passed", "fail": "failed", "inconclusive": "undecided", "not applicable": "not applicable",
    }  # fmt: skip
    counted = listed(
        [f"{len(names)} {words[outcome]} ({listed(names)})" for outcome, names in outcomes.items()] or ["none made"]
    )
    text = f"Whether both programs fit the same model correctly was checked first: {counted}."
    if (limits := result.limits) is not None:
        low, high = limits.se_ratio
        text += (
            f" EM was then taken for an adequate summary of a quantity where the posterior mean lies within {limits.shift:g} "
            f"posterior standard deviations of the estimate, the standard error is {low:g} to {high:g} posterior standard "
            f"deviations, and each tail beyond the Wald interval holds {percent(limits.tail[0], 0)} to "
            f"{percent(limits.tail[1], 0)} of the posterior; a limit is missed only beyond {limits.monte_carlo_errors:g} "
            f"Monte Carlo errors. A difference is slight where that interval holds {percent(limits.slight_share[0], 0)} to "
            f"{percent(limits.slight_share[1], 0)} of the posterior, whose mean lies within {limits.slight_shift:g} posterior "
            "standard deviations. These limits are conventions."
        )
    rates = rates_told(result)
    return [f"{text} {' '.join(rates[:-1] if len(rates) > 1 else rates)}"]


def _programs(result: Result) -> Paragraph:
    made = result.provenance
    versions = listed([f"{name} {version}" for name, version in made.versions.items()] or ["unknown versions"])
    digest, _, changed = (made.git_commit or "").partition("+")
    commit = f" at commit {digest[:12]}{' with changes' if changed else ''}" if digest else ""
    return [
        f"Computed with em-comparisons{commit} and {versions}, from the seed {result.seed}, by ",
        Code(short(made.command, LONGEST_STATEMENT)),
        ". What is reported follows the GRoLTS list",
        cite(result, "schoot2017"),
        " where it applies.",
    ]


def _numbers(result: Result, quantity: Quantity) -> str:
    line, p = row(result, quantity), probability(result)
    name = short(f"{line.name[:1].upper()}{line.name[1:]}")
    estimate, error, wald, profile = line.em
    mean, sd, hdi = line.posterior
    return (
        f"{name}: by EM {estimate} (standard error {error}; {p} Wald interval {wald}; profile interval {profile}), "
        f"posterior mean {mean} (standard deviation {sd}; {p} highest-density interval {hdi}); {line.verdict}."
    )


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"
