"""Compare two fits of one latent-variable model: a hand-written EM estimate and the posterior from PyMC.

`run` fits both and reaches a verdict; `read` returns a stored result without fitting anything. The names of the
comparisons are those of ``comparisons list``. Importing this package loads neither NumPy nor PyMC.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from comparisons.results.result import Result, SampledResult

__all__ = ["DEFAULT_SEED", "read", "run"]

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
        Frozen; its fields are those of ``result.json``, and ``posterior`` holds the draws.

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
