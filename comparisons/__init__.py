"""Compare two fits of one latent-variable model: a hand-written EM estimate and the posterior from PyMC.

`run` fits both and reaches a verdict, `compare` does so for your own data, and `read` returns a stored result without fitting
anything. The names of the comparisons are those of ``comparisons list``. Importing this package loads neither NumPy nor PyMC.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from comparisons.auditing.record import Audit
    from comparisons.declaration import Comparison
    from comparisons.own import Own
    from comparisons.pair import Pair
    from comparisons.pairs.own import OwnPair
    from comparisons.pairs.own_chains import OwnChain
    from comparisons.results.result import Result
    from comparisons.sampled import SampledResult

__all__ = ["DEFAULT_SEED", "Pair", "audit", "compare", "read", "run"]

# The year of Do & Batzoglou's primer, the first example; any number would do.
DEFAULT_SEED: Final = 2008


def _quiet(stage: str) -> None:
    """Report nothing."""


def run(
    name: str,
    out: Path | str | None = None,
    *,
    seed: int = DEFAULT_SEED,
    draws: int = 1000,
    chains: int = 4,
    fresh: bool = False,
    progress: Callable[[str], None] = _quiet,
) -> SampledResult:
    """Run one comparison: fit by EM, sample with PyMC, check both and reach a verdict.

    Parameters
    ----------
    name : one of those in ``comparisons list``, as "two-coin"
    out : directory in which ``<name>/`` gets ``result.json``, ``posterior.nc``, the tables, figures and the report; None
        writes nothing
    seed : from which all random numbers of the run are made; the same seed gives the same result
    draws : posterior draws of each chain after tuning; more are drawn where convergence asks for it
    chains : chains of the sampler
    fresh : compute anew even where ``out`` holds a result of the same declaration, data, settings and versions
    progress : called with a few words as each stage begins

    Returns
    -------
    SampledResult
        Frozen; its fields are those of ``result.json``, and ``posterior`` holds the draws. It has a ``table``, a ``plot()``, and
        ``save(out)`` for one that was not written.

    Raises
    ------
    comparisons.catalogue.UnknownComparison
        No comparison has this name; the message names the nearest.
    TypeError, ValueError
        ``seed``, ``draws`` or ``chains`` is no whole number, or too small.
    OSError
        ``out`` cannot be written. All this is found before anything is fitted.

    Examples
    --------
    >>> import comparisons
    >>> result = comparisons.run("two-coin")  # doctest: +SKIP
    >>> result.verdict, result.summary  # doctest: +SKIP
    """
    # The module cannot be called run: importing it would put it in this function's place.
    from comparisons import pipeline

    def whole() -> SampledResult:
        return pipeline.run(name, out, seed=seed, draws=draws, chains=chains, fresh=fresh, progress=progress)

    return _with_report(name, out, whole, progress)


def _with_report(
    name: str, out: Path | str | None, whole: Callable[[], SampledResult], progress: Callable[[str], None]
) -> SampledResult:
    """Run it, and write its report where results are written."""
    if out is None:
        return whole()
    from comparisons import report
    from comparisons.results.files import directory_name

    directory = Path(out) / directory_name(name)
    with report.last_word(name, directory):
        result = whole()
        if not report.is_current(directory):
            progress("report")
            report.write_report(directory, own=True)
    return result


def compare(
    data: Any,
    family: Any = None,
    n_components: int | None = None,
    *,
    columns: str | Sequence[str] | Mapping[str, str] | None = None,
    formula: str | None = None,
    labels: Any = None,
    counts: Any = None,
    concomitants: str | Sequence[str] | None = None,
    weights: Any = "free",
    covariance: str = "full",
    prior: Any = None,
    components: Sequence[str] | None = None,
    name: str | None = None,
    title: str | None = None,
    question: str | None = None,
    unit: str | None = None,
    missing: Literal["refuse", "drop", "marginal"] | None = None,
    separator: str | None = None,
    decimal: str | None = None,
    out: Path | str | None = None,
    seed: int = DEFAULT_SEED,
    draws: int = 1000,
    chains: int = 4,
    fresh: bool = False,
    progress: Callable[[str], None] = _quiet,
) -> SampledResult:
    """Compare EM and the posterior on your own data.

    Parameters
    ----------
    data : path of a CSV, TSV, Parquet or Arrow file, a DataFrame of pandas, polars or Arrow, a mapping of columns, numbers
        ``(n,)`` or ``(n, d)``, or a noun of `models`; or a `Pair`, whose data are the second argument then; or a
        `pymc.Model` with discrete latent variables, from which an EM is derived, or a function without arguments that returns it;
        or the place of either as ``"FILE.py:NAME"``
    family : one of ``comparisons families``, or a `models.family.Family` of your own, which may be told as ``"FILE.py:NAME"``; by
        the names of the columns where None, else measurements. Of ``"hidden-markov"`` rows are in the order of time
    n_components : number of components, or of states; where None as many as there are labels. Call once for each of several.
    columns : names of the columns, in the order of the family's, or by what each is of, as ``{"heads": "h", "tosses": "n"}``, or
        by titles with units, as ``{"height (cm)": "h1"}``; by their names where None, and of measurements all that hold numbers.
        A header's unit may be left out. Of a hidden Markov chain ``events`` are counts, ``heads`` (with ``tosses``) are of coins,
        any other name is of measurements, and ``sequence`` tells the sequence of a row
    formula : of regressions, in place of columns: ``"y ~ x + C(group)"``, read by formulaic; columns of words are categories
    labels : the column that tells the component of some rows, or a value for each row: words, empty where unknown, or whole
        numbers from 0, -1 where unknown
    counts : the column that says how often each row was seen, or a number for each row
    concomitants : of regressions, the columns that the weights depend on by a multinomial logit
    weights, covariance, prior : as in `em.gaussian_mixture` and the other families; the default prior where None
    components : what the components are called; where None the labels, else ``"1"``, ``"2"``, ...
    name, title, question, unit : for the directory, the report and the axes; made from the data where None
    missing : ``"refuse"`` rows of which a cell is missing, or ``"drop"`` them and say how many; of gaussians and latent classes
        also ``"marginal"``: keep them by the density of what was seen, right where cells are missing at random. Left out,
        latent classes and hidden Markov chains keep them and all others refuse
    separator, decimal : of a text file; recognised where None
    out, seed, draws, chains, fresh, progress : as in `run`

    Returns
    -------
    SampledResult
        As of `run`.

    Raises
    ------
    OSError
        for a file that cannot be read, or ``out`` that cannot be written
    TypeError, ValueError
        for what does not fit, with column, line and remedy. All this is found before anything is fitted.

    Examples
    --------
    >>> import comparisons
    >>> result = comparisons.compare("heights.csv", n_components=2, columns="height", labels="sex")  # doctest: +SKIP
    >>> result = comparisons.compare(pair, [125, 18, 20, 34])  # doctest: +SKIP
    >>> result = comparisons.compare(model)  # a pymc.Model  # doctest: +SKIP
    """
    from comparisons.pair import Pair as DeclaredPair
    from comparisons.pairs import own as own_pair
    from comparisons.pairs import own_chains

    if own_pair.is_pair(data):
        options: dict[str, Any] = {
            "n_components": n_components,
            "columns": columns,
            "labels": labels,
            "counts": counts,
            "prior": prior,
        }
        others: dict[str, Any] = {
            "weights": None if isinstance(weights, str) and weights == "free" else weights,
            "covariance": None if covariance == "full" else covariance,
            "formula": formula,
            "concomitants": concomitants,
            "components": components,
            "unit": unit,
            "missing": missing,
            "separator": separator,
            "decimal": decimal,
        }
        if not isinstance(data, (DeclaredPair, str)):
            progress("deriving EM")
        pair = own_pair.declared(data, family, name=name, title=title, question=question, **options, **others)
        return compare_declared(pair, out, seed=seed, draws=draws, chains=chains, fresh=fresh, progress=progress)
    asked = own_chains.declared(
        data,
        family,
        n_components,
        columns=columns,
        formula=formula,
        labels=labels,
        counts=counts,
        concomitants=concomitants,
        weights=weights,
        covariance=covariance,
        prior=prior,
        components=components,
        name=name,
        title=title,
        question=question,
        unit=unit,
        missing=missing,
        separator=separator,
        decimal=decimal,
    )
    return compare_declared(asked, out, seed=seed, draws=draws, chains=chains, fresh=fresh, progress=progress)


def compare_declared(
    asked: Own[Comparison] | OwnChain | OwnPair,
    out: Path | str | None,
    *,
    seed: int,
    draws: int,
    chains: int,
    fresh: bool,
    progress: Callable[[str], None],
    command: str | None = None,
) -> SampledResult:
    """Compare own data or a pair that are declared, which ``command`` asked for; in Python where None."""
    from comparisons import own, pipeline

    def whole() -> SampledResult:
        return pipeline.run_declared(
            asked.comparison,
            asked.dataset,
            out,
            seed=seed,
            draws=draws,
            chains=chains,
            fresh=fresh,
            progress=progress,
            told=own.key_of(asked),
            command=command or asked.command,
        )

    return _with_report(asked.comparison.name, out, whole, progress)


def audit(pair: Pair | str, data: Any = None, *, seed: int = DEFAULT_SEED) -> Audit:
    """Try each step of a hand-written EM: E-step, M-step, objective, the prior's part, start and rule to stop.

    Each is held against the complete-data log density of the PyMC program, at random points and along EM's own path. Nothing is
    sampled: it takes seconds.

    Parameters
    ----------
    pair : a `Pair`, or its place as ``"FILE.py:NAME"``
    data : as of `compare`
    seed : of the random points

    Returns
    -------
    Audit
        Its findings name the step, the parameter, the size, and the likely slip where one of a list gives the same; it says what
        could not be looked at.

    Raises
    ------
    TypeError, ValueError
        for functions that do not fit together, as of `compare`, and a PyMC program alone, which has no EM by hand

    Examples
    --------
    >>> comparisons.audit(pair, [125, 18, 20, 34])  # doctest: +SKIP
    """
    # The package cannot be called audit: importing it would put it in this function's place.
    from comparisons.auditing.steps import audited
    from comparisons.pairs import own
    from models.inputs import whole_number

    whole_number("seed", seed, least=0)
    # Nothing is stored, so that any name will do.
    return audited(own.declared(pair, data, audited=True, name="audit").problem, seed)


def __getattr__(name: str) -> Any:
    """Load what needs NumPy when it is asked for."""
    if name == "Pair":
        from comparisons.pair import Pair

        return Pair
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Return what the package offers, and none of its modules, which are imported by their names."""
    return sorted(__all__)


def read(path: Path | str) -> Result:
    """Read a stored result: ``DIR/<name>`` or the ``result.json`` in it.

    Raises
    ------
    comparisons.results.store.StoredResultError
        The file is missing or does not fit the schema; the message says why and what to do.
    """
    from comparisons.results import store

    return store.read(path)
