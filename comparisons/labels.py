"""Draws whose labels may be switched: membership probabilities, two alignments beside ordering, and pairs of rows.

With ``p_ik`` the probability that row ``i`` belongs to component ``k`` at one draw,

    p_ik = w_k f_k(y_i) / sum_j w_j f_j(y_i),

an alignment gives each draw a permutation ``s`` of its components:

* equivalence classes (ECR): most rows are where a pivot allocation has them, ``sum_i 1[z_i = s(pivot_i)]`` is largest, with
  the allocation ``z`` of the draw sampled from ``p`` (Papastamoulis & Iliopoulos 2010);
* Stephens' algorithm: ``sum_i sum_k p_i,s(k) log q_ik`` is largest, with ``q`` the mean of the aligned probabilities, found
  by turns: the least Kullback-Leibler divergence of all draws from their mean (Stephens 2000).

Both are assignment problems, and permute only components that the model cannot tell apart. What needs no alignment is the
probability that two rows share a component, ``sum_k p_ik p_jk``. Usable on anybody's draws of these models, and on arrays
of probabilities or allocations from elsewhere.

References
----------
Papastamoulis & Iliopoulos (2010), Journal of Computational and Graphical Statistics 19, 313.
Stephens (2000), Journal of the Royal Statistical Society B 62, 795.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import linear_sum_assignment
from scipy.special import xlog1py, xlogy

from em.mixture import log_weights
from models import CoinTosses, Measurements
from models.draws import permuted
from models.inputs import Floats, Integers, finite_array, read_only, row_counts
from models.mixtures import MixtureWeights, Weights, checked_labels, exchangeable_groups

if TYPE_CHECKING:
    import xarray as xr

# Probabilities worked out at a time: 8 MB, whatever the number of rows and draws.
BLOCK = 2**20


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

    @classmethod
    def of_draws(
        cls, draws: xr.DataTree | xr.Dataset, data: CoinTosses | Measurements | ArrayLike, weights: Weights = "free"
    ) -> Memberships:
        """Read draws of a coin or Gaussian mixture.

        Parameters
        ----------
        draws : with the group ``posterior``, or that group alone; dims ``chain``, ``draw`` and ``component``
        data : the rows, with their counts and known labels; ``data.distinct()`` saves time where rows are equal
        weights : as the model was built with; what is held fixed is no variable of the draws

        Raises
        ------
        ValueError
            if the draws lack a variable that such rows need
        """
        posterior = _posterior(draws)
        rows = data if isinstance(data, CoinTosses | Measurements) else Measurements(data)
        needed = ["head_probabilities"] if isinstance(rows, CoinTosses) else ["means", "covariances"]
        k = posterior.sizes["component"]
        treated = MixtureWeights.of(weights, k)
        missing = [name for name in [*needed, *(["weights"] if treated.free else [])] if name not in posterior]
        if missing:
            raise ValueError(
                f"the posterior has the variables {', '.join(map(str, posterior))}, but lacks {', '.join(missing)}; "
                "give draws of the model of these rows, and weights= where they were held fixed"
            )
        checked_labels(rows.labels, k)
        flat = {name: _flat(posterior[name]) for name in needed}
        n_draws = len(flat[needed[0]])
        shares = _flat(posterior["weights"]) if treated.fixed is None else np.broadcast_to(treated.fixed, (n_draws, k))
        densities = _coin_log_densities if isinstance(rows, CoinTosses) else _normal_log_densities

        # Of a row whose component is known, every other component is impossible.
        possible = (rows.labels < 0) | (rows.labels == np.arange(k)[:, None])

        def at(part: slice) -> Floats:
            # Rows last, so that NumPy runs along them.
            joint = log_weights(shares[part])[..., None] + densities(rows, *(flat[name][part] for name in needed))
            joint = np.where(possible, joint, -np.inf)
            joint = np.exp(joint - joint.max(axis=1, keepdims=True))
            return np.asarray((joint / joint.sum(axis=1, keepdims=True)).swapaxes(1, 2))

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
                f"probabilities[{draw}, {row}] is {array[draw, row]}; the probabilities of a row must lie in 0..1 and sum to 1"
            )
        array = array / array.sum(axis=-1, keepdims=True)
        n_draws, n, k = array.shape
        groups = np.zeros(k) if exchangeable is None else np.asarray(exchangeable)
        if groups.shape != (k,):
            raise ValueError(f"exchangeable has shape {groups.shape}; give one group number for each of {k} components")
        return cls((n_draws, n, k), row_counts(counts, n), read_only(groups.astype(np.int64)), lambda part: array[part])

    @classmethod
    def of_allocations(
        cls,
        allocations: ArrayLike,
        n_components: int,
        counts: ArrayLike | None = None,
        exchangeable: ArrayLike | None = None,
    ) -> Memberships:
        """Take sampled allocations ``(draws, n)`` from elsewhere, components counted from 0."""
        array = _allocation("allocations", allocations, n_components, (2,))
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


def ecr(memberships: Memberships, pivot: ArrayLike, random: np.random.Generator) -> Integers:
    """Align every draw with a pivot allocation: most rows are where the pivot has them.

    Parameters
    ----------
    pivot : ``(n,)`` component of each row, as ``fit.responsibilities(data).argmax(axis=1)`` of an EM fit. A component
        without a row in the pivot has nothing that it could be known by
    random : for the allocation of each draw, where the draws hold probabilities. Without that, draws in which the components
        hardly differ would still be aligned by the little that they do

    Returns
    -------
    ``(draws, K)``: component ``k`` of the aligned draw ``t`` is component ``permutation[t, k]`` of the draw as it was

    Raises
    ------
    ValueError
        if the pivot does not name a component for each row
    """
    _, n, k = memberships.shape
    allocation = _allocation("pivot", pivot, k, (1,))
    if allocation.shape != (n,):
        raise ValueError(f"pivot has {len(allocation)} values but there are {n} rows; give one component per row")
    matches = np.eye(k)[allocation]
    # Sampling begins in the order of the most matches expected, so that it does not depend on the labels of the draws.
    expected = _assigned(memberships, _expected(memberships), matches)[0]

    def sampled() -> Iterator[tuple[slice, Floats]]:
        for part, block in memberships.blocks():
            ordered = np.take_along_axis(block, expected[part, None], axis=2)
            yield part, random.multinomial(memberships.counts, ordered).astype(np.float64)

    # Of orders with equally many matches the present one, by half a row for all components together.
    permutation = _assigned(memberships, sampled(), matches, stay=0.5 / k)[0]
    return np.take_along_axis(expected, permutation, axis=1)


def stephens(memberships: Memberships, start: ArrayLike) -> Integers:
    """Align all draws with their common mean, by turns, until no draw is nearer to it in another order.

    Parameters
    ----------
    start : ``(n, K)`` probabilities that take the place of the mean at first and name the components, as
        ``fit.responsibilities(data)`` of an EM fit. Where they are equal for two components, the first turn leaves these
        as the draws have them

    Returns
    -------
    ``(draws, K)`` permutations, as `ecr` returns them
    """
    mean = finite_array("start", start, (2,))
    if mean.shape != memberships.shape[1:]:
        raise ValueError(f"start has shape {mean.shape}; give a probability for each of {memberships.shape[1:]}")
    reached = -np.inf
    while True:
        # What is rounded to 0 stays possible, as the logarithm of the smallest number that there is.
        logarithms = np.log(np.maximum(mean, np.finfo(float).tiny))
        permutation, score = _assigned(memberships, _expected(memberships), logarithms)
        # The score cannot fall, and rises as long as a draw finds a better order.
        if not score > reached:
            return permutation
        mean, reached = memberships.mean(permutation), score


def share_different(first: ArrayLike, second: ArrayLike) -> float:
    """Share of the draws that two alignments put into different orders.

    Parameters
    ----------
    first, second : ``(draws, K)`` permutations of the same draws; or ``(K,)``, as ``range(K)`` for the order they are in
    """
    return float(np.any(np.asarray(first) != np.asarray(second), axis=-1).mean())


def aligned[D: (xr.DataTree, xr.Dataset)](draws: D, permutation: Integers) -> D:
    """Draws with their components permuted together, all else as it was.

    Parameters
    ----------
    draws : those that ``permutation`` ``(draws, K)`` was found for
    """
    posterior = _posterior(draws)
    shape = (posterior.sizes["chain"], posterior.sizes["draw"], posterior.sizes["component"])
    ordered = permuted(posterior, permutation.reshape(shape))
    if posterior is draws:
        return ordered
    tree: Any = draws.copy()
    tree["posterior"] = type(tree)(ordered)
    return tree


def co_membership(memberships: Memberships, rows: ArrayLike | None = None) -> Floats:
    """Posterior probability that two rows share a component, which no labelling changes.

    Parameters
    ----------
    rows : indices of the rows to be paired, all where None. The result has the square of their number

    Returns
    -------
    ``(rows, rows)``; on the diagonal for two different observations with the values of that row
    """
    chosen = np.arange(memberships.shape[1]) if rows is None else np.asarray(rows)
    total = np.zeros((len(chosen), len(chosen)))
    for _, block in memberships.blocks():
        by_row = block[:, chosen].transpose(1, 0, 2).reshape(len(chosen), -1)
        total += by_row @ by_row.T
    return total / memberships.shape[0]


def _expected(memberships: Memberships) -> Iterator[tuple[slice, Floats]]:
    """Number of rows ``(draws, n, K)`` expected in each component, by blocks."""
    for part, block in memberships.blocks():
        yield part, block * memberships.counts[:, None]


def _assigned(
    memberships: Memberships, numbers: Iterator[tuple[slice, Floats]], score: Floats, stay: float = 0.0
) -> tuple[Integers, float]:
    """Permutations ``(draws, K)`` for which numbers of rows times their score ``(n, K)`` have the largest sum, and that sum.

    ``stay`` is added for each component that is left where it is.
    """
    n_draws, _, k = memberships.shape
    permutation = np.tile(np.arange(k), (n_draws, 1))
    groups = [np.flatnonzero(memberships.exchangeable == group) for group in np.unique(memberships.exchangeable)]
    total = 0.0
    for part, block in numbers:
        scores = score.T @ block + stay * np.eye(k)
        for group in groups:
            if len(group) > 1:
                each = scores[:, group[:, None], group]
                places = np.array([linear_sum_assignment(matrix, maximize=True)[1] for matrix in each])
                permutation[part, group] = group[places]
        total += float(np.take_along_axis(scores, permutation[part, :, None], axis=2).sum())
    return permutation, total


def _posterior(draws: xr.DataTree | xr.Dataset) -> xr.Dataset:
    import xarray as xr

    return draws["posterior"].to_dataset() if isinstance(draws, xr.DataTree) else draws


def _flat(variable: Any) -> Floats:
    """``(draws of all chains, component, ...)``."""
    values = variable.transpose("chain", "draw", "component", ...).values
    return np.asarray(values.reshape(-1, *values.shape[2:]), dtype=np.float64)


def _coin_log_densities(tosses: CoinTosses, p: Floats) -> Floats:
    """``(draws, K, n)``, the binomial coefficient left out: it is the same for every component."""
    return np.asarray(xlogy(tosses.heads, p[..., None]) + xlog1py(tosses.tosses - tosses.heads, -p[..., None]))


def _normal_log_densities(data: Measurements, means: Floats, covariances: Floats) -> Floats:
    """``(draws, K, n)``, the power of 2 pi left out."""
    roots = np.linalg.inv(np.linalg.cholesky(covariances))
    # Both sides from a centre inside the data, so that an origin far away costs no digits.
    centre = data.y.mean(axis=0)
    located = roots @ (data.y - centre).T - roots @ (means - centre)[..., None]
    log_determinants = np.log(np.diagonal(roots, axis1=-2, axis2=-1)).sum(axis=-1)
    return np.asarray(log_determinants[..., None] - 0.5 * (located**2).sum(axis=-2))


def _allocation(name: str, allocation: ArrayLike, n_components: int, dimensions: tuple[int, ...]) -> Integers:
    array = finite_array(name, allocation, dimensions)
    outside = (array < 0) | (array >= n_components) | (array != np.floor(array))
    if outside.any():
        place = ", ".join(str(int(i)) for i in np.argwhere(outside)[0])
        raise ValueError(
            f"{name}[{place}] is {array[outside][0]:g}; it must name one of the components 0..{n_components - 1}"
        )
    return array.astype(np.int64)
