"""What every finite mixture has in common: weights free, equal or held fixed, known labels, and canonical order.

The observed-data model of ``n`` rows and ``K`` components is

    p(y_i) = sum_k w_k f_k(y_i)        for a row whose component is not known,
    p(y_i, z_i = k) = w_k f_k(y_i)     for a row whose component is known to be k.

This file holds no density: `em` and the PyMC builders write the arithmetic each for itself, so that their agreement is
evidence.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from models.inputs import Floats, Integers, component_number, one_line, read_only, weight_vector

type Weights = Literal["free", "equal"] | ArrayLike


@dataclass(frozen=True, slots=True, eq=False)
class MixtureWeights:
    """How the weights of a mixture are treated, read from the argument ``weights``.

    Attributes
    ----------
    n_components : the number of components, K
    fixed : ``(K,)`` the values they are held at, or None where they are estimated
    """

    n_components: int
    fixed: Floats | None

    @classmethod
    def of(cls, weights: Weights, n_components: int) -> MixtureWeights:
        """Read ``"free"``, ``"equal"`` or an array held fixed.

        Raises
        ------
        ValueError
            for another word, an array of another length, a fixed weight of 0, or one that does not sum to 1
        """
        k = component_number(n_components)
        if isinstance(weights, str):
            if weights not in ("free", "equal"):
                raise ValueError(
                    f'weights is "{one_line(weights)}"; give "free", "equal" or an array of {k} numbers that sum to 1'
                )
            # One component has nothing to choose from: its weight is 1, not a parameter.
            fixed = None if weights == "free" and k > 1 else read_only(np.full(k, 1.0 / k))
            return cls(k, fixed)
        if np.ndim(weights) == 1 and np.shape(weights) != (k,):
            n = np.shape(weights)[0]
            raise ValueError(f"weights has {n} values but n_components is {k}; give one weight per component")
        array = weight_vector("weights", weights)
        if len(array) != k:
            raise ValueError(f"weights has {len(array)} values but n_components is {k}; give one weight per component")
        if (array == 0).any():
            raise ValueError(
                f"weights[{int(np.argmin(array))}] is held at 0: that component does not exist; leave it out"
            )
        return cls(k, array)

    @property
    def free(self) -> bool:
        """Whether the weights are estimated."""
        return self.fixed is None


def checked_labels(labels: Integers, n_components: int) -> Integers:
    """Return the labels, or raise ValueError naming the first that is no component of this mixture."""
    outside = labels >= n_components
    if outside.any():
        row = int(np.argmax(outside))
        raise ValueError(
            f"labels[{row}] is {labels[row]} but there are {n_components} components; labels must lie in "
            f"0..{n_components - 1}, or be -1 where the component is not known"
        )
    return labels


def enough_rows(n: int, n_components: int) -> None:
    """Refuse data with fewer rows than components."""
    if n < n_components:
        raise ValueError(f"there are {n} rows for {n_components} components; give at least one row per component")


def exchangeable_groups(weights: MixtureWeights, labels: Integers) -> Integers:
    """Which components the model cannot tell apart: ``(K,)`` group numbers, equal numbers being exchangeable.

    The priors of this suite are the same for every component, so two components can be swapped without changing the
    posterior exactly when no labelled row belongs to either and their weights are both free or held at the same value.
    """
    k = weights.n_components
    labelled = np.isin(np.arange(k), labels)
    held = np.zeros(k) if weights.fixed is None else weights.fixed
    groups = np.arange(k)
    for j in range(k):
        for i in range(j):
            if not labelled[i] and not labelled[j] and held[i] == held[j]:
                groups[j] = groups[i]
                break
    return read_only(groups)


def canonical_permutation(keys: ArrayLike, groups: Integers) -> Integers:
    """Order in which to read the components so that each exchangeable group ascends.

    Parameters
    ----------
    keys : ``(..., K, m)``, compared from the first of the ``m`` columns to the last
    groups : ``(K,)`` as `exchangeable_groups` returns; components never leave the positions of their group

    Returns
    -------
    ``(..., K)`` indices: position ``j`` of the ordered mixture is component ``permutation[..., j]``
    """
    keys = np.asarray(keys, dtype=np.float64)
    permutation = np.broadcast_to(np.arange(keys.shape[-2]), keys.shape[:-1]).copy()
    for group in np.unique(groups):
        positions = np.flatnonzero(groups == group)
        if len(positions) > 1:
            columns = np.moveaxis(keys[..., positions, :], -1, 0)[::-1]
            permutation[..., positions] = positions[np.lexsort(columns, axis=-1)]
    return permutation
