"""The pages: templates filled from stored results, whole files written in place of old ones."""

from __future__ import annotations

import base64
import functools
import hashlib
import os
import re
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup, escape
from platformdirs import user_cache_path

from comparisons import paper
from comparisons.components.record import FILE as COMPONENTS
from comparisons.components.record import read as read_components
from comparisons.methods.record import FILE as METHODS
from comparisons.methods.record import read as read_methods
from comparisons.quantity_names import in_prose
from comparisons.report import appearance, digits, error_rates, estimates, explanations, reservations
from comparisons.results import store
from comparisons.results.files import write_text
from comparisons.results.result import Quantity
from comparisons.results.strict_json import Number

PAGE = "report.html"
CSV = "estimates.csv"
FIGURES = "figures"
# Stands before and after what a page says of a later run.
LATER_RUN = "<!-- later run -->"

SYMBOLS = {"agree": "=", "slight": "≈", "differ": "≠", "wrong": "✗", "inconclusive": "?", "no result": "–"}
MEANINGS = {
    "agree": "No integrity check failed, and EM with its standard errors is an adequate summary of the posterior.",
    "differ": "No integrity check failed, and in some quantity EM’s point, standard error or interval is not an adequate "
    "summary of the posterior.",
    "wrong": "An integrity check failed: one of the two fits is not what it claims to be.",
    "inconclusive": "An engine did not converge or a check could not decide, so nothing is claimed.",
}


def write_report(directory: Path, *, own: bool) -> Path:
    """Write all files of one comparison's report, the page last."""
    from matplotlib.figure import Figure

    from comparisons.report import charts, formats
    from comparisons.report.chains import figures_of_chains
    from comparisons.report.data_and_fits import figures_of_data
    from comparisons.report.em_trace import figures_of_trace
    from comparisons.report.forest import illustration_of
    from comparisons.report.marginals import figures_of_marginals, figures_of_ranks
    from comparisons.report.memberships import figures_of_memberships
    from comparisons.report.methods import figures_of_methods, limits_told
    from comparisons.report.model_fit import figures_of_model_checks
    from comparisons.report.surface import figures_of_surface

    result, posterior = store.read(directory), store.read_posterior(directory)
    components, methods, source = read_components(directory), read_methods(directory), _source(directory)
    if methods is not None and methods.data_sha256 != result.data.sha256:
        methods = None  # of other data
    with appearance.style(), charts.unchecked():
        illustrations = [
            illustration_of(result, posterior),
            *figures_of_data(result, posterior),
            *figures_of_surface(result, posterior),
            *figures_of_marginals(result, posterior),
            *figures_of_trace(result),
            *figures_of_chains(result, posterior),
            *figures_of_ranks(result, posterior),
            *figures_of_memberships(result),
        ]
        of_model_checks, of_methods = figures_of_model_checks(result), figures_of_methods(methods)
        drawings: dict[str, Markup] = {}
        specifications: dict[str, Markup] = {}
        for each in [*illustrations, *of_model_checks, *of_methods]:
            if isinstance(each.figure, Figure):
                svg, explored = formats.svg_of_picture(each.figure), False
            else:
                specification = charts.compiled(each.figure)
                svg, explored = formats.svg_of_chart(specification), True
                specifications[each.name] = Markup(charts.for_page(specification))
            drawings[each.name] = Markup(formats.save(each.name, svg, directory / FIGURES, png=explored))
    for file in (directory / FIGURES).glob("*.*"):
        if file.stem not in drawings:
            file.unlink()
    write_text(directory / CSV, estimates.csv_table(result))
    paper.write(result, directory)
    page = environment().get_template("report.html.jinja")
    figures = {
        "figures": illustrations,
        "figures_of_model_checks": of_model_checks,
        "figures_of_methods": of_methods,
        "drawings": drawings,
        "specifications": specifications,
        "script": Markup(charts.script()),
    }
    later = None if own else store.later_run(directory)
    text = page.render(
        result=result,
        components=components,
        methods=methods,
        limits_of_methods=limits_told(methods) if methods else "",
        source=source,
        later=later,
        untold=explanations.once(result),
        **figures,
    )
    return write_text(directory / PAGE, text)


def mention_later_run(directory: Path) -> None:
    """Say on the page, where there is one, that a later run crashed; nothing else of it is written anew."""
    page, later = directory / PAGE, store.later_run(directory)
    if later is not None and page.exists():
        head, _, rest = page.read_text(encoding="utf-8").partition(LATER_RUN)
        _, _, rest = rest.partition(LATER_RUN)
        told = environment().get_template("later_run.html.jinja").render(later=later)
        write_text(page, LATER_RUN.join([head, told, rest]))


def is_current(directory: Path) -> bool:
    """Whether the page there names as its source the result there and this version of the report, and no later run."""
    page = directory / PAGE
    complete = all((directory / name).exists() for name in (CSV, paper.FOLDER, FIGURES, store.RESULT, store.POSTERIOR))
    if not (complete and page.exists()):
        return False
    text = page.read_text(encoding="utf-8")
    return _source(directory) in text[:2000] and not text.split(LATER_RUN)[1].strip()


def _source(directory: Path) -> str:
    """Digest of all that a report is made from: the result, which names its draws, what else is stored, and the report's code."""
    digest = hashlib.sha256((directory / store.RESULT).read_bytes())
    for beside in (COMPONENTS, METHODS):
        if (directory / beside).exists():
            digest.update((directory / beside).read_bytes())
    for path in sorted(Path(__file__).parent.rglob("*")):
        if path.suffix in (".py", ".jinja", ".css", ".js"):
            digest.update(path.read_bytes())
    digest.update(error_rates.PUBLISHED.read_bytes())
    for package in ("altair", "matplotlib", "vl-convert-python"):
        digest.update(version(package).encode())
    return digest.hexdigest()


@functools.cache
def environment() -> jinja2.Environment:
    """Return the templates with all that they may use."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        bytecode_cache=_kept_templates(),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "rounded": _rounded,
        "significant": _significant,
        "breakable": _breakable,
        "percent": digits.percent,
        "prose": _prose,
        "ratio": digits.ratio,
        "seconds": digits.seconds,
        "share": lambda value: _cell(value, digits.percent(value)),
    }
    css = (Path(__file__).parent / "templates" / "report.css").read_text(encoding="utf-8")
    environment.globals |= {
        "css": Markup(css),
        "picture": appearance.FIRST,
        "policy": lambda script, images="data:": _policy(css, script, images),
        "against": _against,
        "decimals": _decimals,
        "meanings": MEANINGS,
        "error_rates": error_rates,
        "explanations": explanations,
        "in_prose": in_prose,
        "outcomes": explanations.OUTCOMES,
        "later_run_mark": Markup(LATER_RUN),
        "reservations": reservations,
        "symbols": SYMBOLS,
    }
    return environment


def _kept_templates() -> jinja2.BytecodeCache | None:
    """Where a user's programs keep what they can make again: compiled templates; None where nothing can be kept."""
    folder = user_cache_path("em-comparisons") / "templates"
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
    return jinja2.FileSystemBytecodeCache(str(folder)) if os.access(folder, os.W_OK) else None


def _policy(css: str, script: str, images: str) -> str:
    """A page loads no more than these images; its sheet and its script are known by digest, figures have styles of their own."""
    sheet, program = (
        f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in (css, script)
    )
    return (
        f"default-src 'none'; script-src {program}; style-src-elem {sheet}; "
        f"style-src-attr 'unsafe-inline'; img-src {images}; base-uri 'none'; form-action 'none'"
    )


def _prose(text: str) -> Markup:
    """Return a sentence with its numbers set, what stands between backticks as code, and the unit of log densities explained."""
    marked = re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(digits.prose(text))))
    return Markup(re.sub(r"\bnats\b", '<abbr title="units of the natural logarithm of a density">nats</abbr>', marked))


def _breakable(name: str) -> Markup:
    """Return the name of a quantity with places at which a narrow column may break it."""
    return escape(name).replace("_", Markup("_<wbr>")).replace("[", Markup("<wbr>["))


def _decimals(quantity: Quantity) -> int | None:
    return digits.decimals_for(quantity.em_se, quantity.posterior.sd)


def _rounded(value: Number, decimals: int | None) -> Markup:
    return _cell(value, digits.rounded(value, decimals))


def _significant(value: Number, n_digits: int = 3) -> Markup:
    return _cell(value, digits.significant(value, n_digits))


def _against(value: Number, threshold: Number) -> Markup:
    return _cell(value, digits.statistic(value, threshold))


def _cell(value: Any, text: str) -> Markup:
    """Return the rounded number as seen, with the whole number in the page's source for programs and the curious."""
    if value is None:
        return Markup('<span class="missing" title="does not exist; see the reason">{}</span>').format(text)
    return Markup('<data value="{}">{}</data>').format(repr(value), text)
