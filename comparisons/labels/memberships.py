"""Membership probabilities of rows in draws of a mixture, from NumPy densities, block by block.

The probability that row ``i`` belongs to component ``k`` at one draw is

    p_ik = w_k f_k(y_i) / sum_j w_j f_j(y_i),

and 1 for the component of a row whose component is known. All draws together would be too much to hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from comparisons import families
from comparisons.display import displayed
from comparisons.families.family import Family
from em.mixture import log_weights, responsibilities
from models.gaussians.measurements import measured
from models.inputs import (
    Floats,
    Integers,
    component_number,
    cut,
    finite_array,
    read_only,
    row_counts,
    some_of,
    whole_counts,
)
from models.mixtures import MixtureWeights, Weights, checked_labels, exchangeable_groups

if TYPE_CHECKING:
    import xarray as xr

# Probabilities worked out at a time: 1 MB, which stays in the cache, whatever the number of rows and draws.
BLOCK = 2**17


@dataclass(frozen=True, slots=True, eq=False)
class Memberships:
    """Probability of each component for each row in each draw, worked out block by block and never held as a whole.

    Attributes
    ----------
    shape : draws (of all chains, one after the other), rows, components
    counts : ``(n,)`` how many times each row was seen
    exchangeable : ``(K,)`` group of each component; components of different groups are never exchanged
    at : probabilities ``(draws, n, K)`` of a slice of the draws
    """

    shape: tuple[int, int, int]
    counts: Integers
    exchangeable: Integers
    at: Callable[[slice], Floats]

    __repr__ = displayed

    @classmethod
    def of_draws(
        cls,
        draws: xr.DataTree | xr.Dataset,
        data: Any,
        weights: Weights = "free",
        family: Family | None = None,
    ) -> Memberships:
        """Read draws of a mixture.

        Parameters
        ----------
        draws : with the group ``posterior``, or that group alone; dims ``chain``, ``draw`` and ``component``
        data : the rows, with their counts and known labels; ``data.distinct()`` saves time where rows are equal
        weights : as the model was built with; what is held fixed is no variable of the draws
        family : where it is not that of the data, as one of your own

        Raises
        ------
        ValueError
            if the draws lack a variable that such rows need
        """
        import xarray as xr

        posterior = draws["posterior"].to_dataset() if isinstance(draws, xr.DataTree) else draws
        # Arrays and DataFrames are measurements.
        rows: Any = data if hasattr(data, "distinct") else measured(data)
        family = families.of(rows) if family is None else family
        needed = list(family.variables)
        k = posterior.sizes["component"]
        treated = MixtureWeights.of(weights, k)
        missing = [name for name in [*needed, *(["weights"] if treated.free else [])] if name not in posterior]
        if missing:
            raise ValueError(
                f"the posterior has the variables {some_of(posterior)}, but lacks {', '.join(missing)}; "
                "give draws of the model of these rows, and weights= where they were held fixed"
            )
        checked_labels(rows.labels, k)
        flat = {name: all_chains(posterior[name]) for name in needed}
        n_draws = len(flat[needed[0]])
        shares = (
            all_chains(posterior["weights"]) if treated.fixed is None else np.broadcast_to(treated.fixed, (n_draws, k))
        )

        def at(part: slice) -> Floats:
            parameters = family.of_arrays({"weights": shares[part], **{name: flat[name][part] for name in needed}})
            log_densities = family.log_densities(rows, parameters)
            return responsibilities(log_weights(shares[part])[:, None, :] + log_densities, rows.labels)[0]

        return cls((n_draws, len(rows.counts), k), rows.counts, exchangeable_groups(treated, rows.labels), at)

    @classmethod
    def of_probabilities(
        cls, probabilities: ArrayLike, counts: ArrayLike | None = None, exchangeable: ArrayLike | None = None
    ) -> Memberships:
        """Take probabilities from elsewhere.

        Parameters
        ----------
        probabilities : ``(draws, n, K)``, each row of each draw summing to 1
        counts : ``(n,)``, 1 each where None
        exchangeable : ``(K,)`` group numbers, all components exchangeable where None

        Raises
        ------
        ValueError
            if a probability is missing or negative, or those of a row do not sum to 1
        """
        array = finite_array("probabilities", probabilities, (3,))
        wrong = (array < 0).any(axis=-1) | (np.abs(array.sum(axis=-1) - 1) > 1e-6)
        if wrong.any():
            draw, row = (int(i) for i in np.argwhere(wrong)[0])
            raise ValueError(
                f"probabilities[{draw}, {row}] is {cut(str(array[draw, row]))}; "
                "the probabilities of a row must lie in 0..1 and sum to 1"
            )
        array = array / array.sum(axis=-1, keepdims=True)
        n_draws, n, k = array.shape
        seen = row_counts(counts, n)
        whole_counts(seen, "components of rows are drawn as often as they were seen: give whole numbers")
        groups = np.zeros(k) if exchangeable is None else np.asarray(exchangeable)
        if groups.shape != (k,):
            raise ValueError(f"exchangeable has shape {groups.shape}; give one group number for each of {k} components")
        return cls((n_draws, n, k), seen, read_only(groups.astype(np.int64)), lambda part: array[part])

    @classmethod
    def of_allocations(
        cls,
        allocations: ArrayLike,
        n_components: int,
        counts: ArrayLike | None = None,
        exchangeable: ArrayLike | None = None,
    ) -> Memberships:
        """Take sampled allocations ``(draws, n)`` from elsewhere, components counted from 0."""
        array = allocation_of("allocations", allocations, component_number(n_components), (2,))
        return cls.of_probabilities(np.eye(n_components)[array], counts, exchangeable)

    def blocks(self) -> Iterator[tuple[slice, Floats]]:
        """Slices of the draws and their probabilities ``(draws, n, K)``."""
        n_draws, n, k = self.shape
        size = max(1, BLOCK // (n * k))
        for start in range(0, n_draws, size):
            part = slice(start, min(start + size, n_draws))
            yield part, self.at(part)

    def mean(self, permutation: Integers) -> Floats:
        """Probability ``(n, K)`` of each component for each row over all draws, aligned by ``permutation`` ``(draws, K)``."""
        total = np.zeros(self.shape[1:])
        for part, block in self.blocks():
            total += np.take_along_axis(block, permutation[part, None], axis=2).sum(axis=0)
        return total / self.shape[0]


def allocation_of(name: str, allocation: ArrayLike, n_components: int, dimensions: tuple[int, ...]) -> Integers:
    """Whole numbers that name components, or ValueError with the first that does not."""
    array = finite_array(name, allocation, dimensions)
    outside = (array < 0) | (array >= n_components) | (array != np.floor(array))
    if outside.any():
        place = ", ".join(str(int(i)) for i in np.argwhere(outside)[0])
        raise ValueError(
            f"{name}[{place}] is {array[outside][0]:g}; it must name one of the components 0..{n_components - 1}"
        )
    return array.astype(np.int64)


def all_chains(variable: Any) -> Floats:
    """``(draws of all chains, component, ...)``."""
    values = variable.transpose("chain", "draw", "component", ...).values
    return np.asarray(values.reshape(-1, *values.shape[2:]), dtype=np.float64)
