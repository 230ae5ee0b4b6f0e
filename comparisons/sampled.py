"""The value that `comparisons.run` and `comparisons.compare` return: a result with its draws, and what people go on with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from comparisons.display import displayed_result
from comparisons.results.result import Result

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd


@dataclass(frozen=True, slots=True)
class SampledResult(Result):
    """A `Result` together with the draws.

    ``posterior``: an `xarray.DataTree` with the group ``posterior``, in canonical order and with the comparison's
    component names, as stored in ``posterior.nc``.
    """

    __repr__ = displayed_result

    posterior: Any = None

    @property
    def table(self) -> pd.DataFrame:
        """A row for each quantity, by name, in a new DataFrame; the columns are those of ``estimates.csv``."""
        import pandas as pd

        from comparisons.report import estimates

        rows = [
            {name: float("nan") if value is None else value for name, value in row.items()}
            for row in estimates.rows(self)
        ]
        return pd.DataFrame(rows).set_index("name") if rows else pd.DataFrame(index=pd.Index([], name="name"))

    def plot(self) -> alt.LayerChart:
        """Return a figure of all quantities: EM's intervals beside the posterior, a line each on one scale."""
        from comparisons.report import forest

        return forest.chart_of(self, self.posterior)

    def _repr_html_(self) -> str:
        """Verdict, summary and table, in a notebook."""
        from comparisons.report import estimates

        return estimates.html_table(self)

    def save(self, out: Path | str) -> Path:
        """Write the result, its draws and its report to ``<out>/<name>/``, and the index, as ``comparisons run --out`` does.

        Returns
        -------
        Path
            ``report.html``.

        Raises
        ------
        OSError
            ``out`` cannot be written; this is found before anything is.
        """
        from comparisons import catalogue, report
        from comparisons.results import files, store

        directory = Path(out) / files.directory_name(self.name)
        files.check_writable(directory)
        store.write(self, directory)
        page = report.write_report(directory, own=True)
        store.end_run(directory)
        report.write_index(out, catalogue.names())
        return page
