"""What a fit says beyond itself: of rows, of new data, in a table and in a file.

Components count from 0 wherever they are indices, as in all of Python: in labels that are given and predicted, and along the
axes of parameters and responsibilities. In names that a reader sees, as ``means[1]``, they count from 1.
"""

from __future__ import annotations

from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from em.mixture import responsibilities
from em.weights import drawn_components
from models.display import as_html
from models.inputs import Floats, Integers, shown, whole_number

if TYPE_CHECKING:
    import pandas as pd

    from em.search.doubts import Doubt
    from em.uncertainty.quantities import Estimate

# Rows that are drawn at most: eight gigabytes of each column.
MOST_DRAWN = 10**9


class FittedMixture:
    """A mixture at parameters that were estimated; `em.Fit` says what the attributes are."""

    __slots__ = ()
    parameters: Any
    log_likelihood: float
    status: Any
    standard_errors: Any
    doubts: tuple[Doubt, ...]
    _mixture: Any

    def responsibilities(self, data: Any) -> Any:
        """Posterior probability of each component for each row of ``data``, known labels respected.

        Parameters
        ----------
        data : what was fitted or new rows: `models.CoinTosses`, `models.EventCounts`, or the rows of a family of one's own;
            `models.Measurements`, or y as `em.gaussian_mixture` takes it. Where a table was fitted, a table's columns go by
            the names of the fit, in any order and beside others, its labels too, if it has that column; what has no names,
            on either side, goes by its places. Cells may be missing where some were in what was fitted, and of
            `models.Measurements` that keep them.

        Returns
        -------
        ``(n, n_components)``, each row summing to 1: of Dask's rows a `dask.array.Array` that is not computed yet, else
        an array in memory, for which files and mapped arrays are read a chunk at a time

        Raises
        ------
        TypeError, ValueError
            for a column that was fitted and is not there, with the nearest name that is; for another number of features;
            and as the fit does for values and labels
        """
        return self._mixture.of_rows(data, self.parameters, _shares, self._mixture.n_components)

    def predict(self, data: Any) -> Any:
        """Most probable component of each row, known labels respected.

        Parameters
        ----------
        data : as in `responsibilities`

        Returns
        -------
        ``(n,)`` indices from 0, as ``labels`` are, so that component 0 is the one with ``weights[1]`` in `table`; -1 where a
        row is impossible under every component. In memory, or of Dask's rows not computed yet.

        Raises
        ------
        TypeError, ValueError
            as `responsibilities`
        """
        return self._mixture.of_rows(data, self.parameters, _most_probable, 1)[:, 0].astype(np.int64)

    def score_rows(self, data: Any) -> Any:
        """Log-likelihood of each row, the component summed out where it is not known.

        Parameters
        ----------
        data : as in `responsibilities`

        Returns
        -------
        ``(n,)`` nats, all constants included and each row once whatever its count; those of the rows that were fitted, times
        their counts, sum to ``log_likelihood``. In memory, or of Dask's rows not computed yet.

        Raises
        ------
        TypeError, ValueError
            as `responsibilities`
        """
        return self._mixture.of_rows(data, self.parameters, _log_likelihoods, 1)[:, 0]

    def simulate(self, n: int, seed: int) -> Any:
        """Rows drawn from the fitted mixture, their components hidden.

        Bags of coins have the tosses, and Poisson counts the exposure, of rows that are drawn from those fitted.

        Parameters
        ----------
        n : how many
        seed : the same gives the same rows

        Returns
        -------
        What the fit takes: `models.CoinTosses`, `models.EventCounts`, `models.Measurements` with the names of the columns that
        were fitted, or the rows of a family of one's own

        Raises
        ------
        TypeError, ValueError
            for what is no number of rows or no seed
        """
        return self._drawn(n, seed)[0]

    def _drawn(self, n: int, seed: int) -> tuple[Any, Integers]:
        """Rows as `simulate` draws them, and the component of each."""
        random, mixture = np.random.default_rng(whole_number("seed", seed, least=0)), self._mixture
        size = whole_number("n", n, least=1)
        if size > MOST_DRAWN:
            raise ValueError(f"n is {shown(n)}, but rows are drawn into memory; give at most {MOST_DRAWN:,}")
        rows, counts = mixture.design()
        chosen = random.choice(rows, size=size, p=counts / counts.sum())
        components = drawn_components(mixture, mixture.from_published(self.parameters), chosen, random)
        return mixture.drawn(self.parameters, chosen, components, random), components

    def write(self, path: str | PathLike[str]) -> None:
        """Write all that is public of the fit as JSON, for `em.read_fit`; the rows stay out of it.

        Raises
        ------
        OSError
            if the file cannot be written
        """
        from em.written import write

        write(self, path)

    @property
    def aic(self) -> float:
        """Akaike's criterion, smaller is better: ``-2 log_likelihood + 2 p`` with p free parameters, under a prior as without."""
        return -2 * self.log_likelihood + 2 * self._free_parameters

    @property
    def bic(self) -> float:
        """Schwarz's criterion, smaller is better: ``-2 log_likelihood + p log n`` with n rows, or bags, as often as seen."""
        return -2 * self.log_likelihood + self._free_parameters * float(np.log(self._mixture.n))

    @property
    def _free_parameters(self) -> int:
        return int(self._mixture.basis.shape[1])

    @property
    def table(self) -> pd.DataFrame:
        """A row for each quantity, by the names that `em.profile_interval` takes, in a new DataFrame.

        Columns are the ``estimate``; its ``standard_error``, 0 where held fixed and NaN where withheld, as at a bound; ``low``
        and ``high``, the ends of its Wald interval of probability 94 %; and the ``scale`` on which that interval is symmetric.
        """
        import pandas as pd

        return pd.DataFrame(self._estimates()).set_index("name")

    def _estimates(self) -> list[Estimate]:
        from em.uncertainty.quantities import estimates

        return estimates(self._mixture, self.parameters, self.standard_errors)

    def _repr_html_(self) -> str:
        """The fit in a notebook: how it ended, why to doubt it, and the table."""
        withheld = self.standard_errors.reason
        sentences = [
            f"Log-likelihood {self.log_likelihood:.10g}, AIC {self.aic:.10g}, BIC {self.bic:.10g}.",
            *([] if withheld is None else [f"No standard errors: {withheld}."]),
            *(doubt.told() for doubt in self.doubts),
        ]
        head = ["", "Estimate", "Standard error", "94% from", "to"]
        rows = [[each.name, *(f"{number:.5g}" for number in each[1:5])] for each in self._estimates()]
        return as_html(f"Fit: {self.status}", sentences, head, rows, ".table")


def _shares(log_joint: Floats, labels: Integers) -> Floats:
    return responsibilities(log_joint, labels)[0]


def _most_probable(log_joint: Floats, labels: Integers) -> Floats:
    shares = _shares(log_joint, labels)
    return np.where(np.isnan(shares[:, 0]), -1.0, shares.argmax(axis=1))[:, None]


def _log_likelihoods(log_joint: Floats, labels: Integers) -> Floats:
    return responsibilities(log_joint, labels)[1][:, None]
