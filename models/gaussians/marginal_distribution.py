"""Normal distributions of rows of which cells are missing, for PyMC: the log density of what was seen.

A row's density is the product of the conditional normals, each PyMC's own, of the cells that were seen given those before: of
the covariance only their entries count, and its Cholesky factor is written out for each row of the data. Which cells are missing
is read off the rows, where they are NaN, so that one compiled model serves any pattern of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from models.gaussians.inverse_wishart import entries_of, in_units
from models.mixture_distribution import mixture_log_density


def marginal_full_logp(y: Any, weights: Any, means: Any, factors: Any, per_unit: Any, counts: Any, labels: Any) -> Any:
    """As `models.gaussians.normal_distribution.full_logp`, of what was seen."""
    import pytensor.tensor as pt

    seen, columns, means = _in_units(y, means, per_unit)
    entries = entries_of(in_units(factors, per_unit[..., None, :]))
    densities = _seen_normal_logp(columns, seen, [means[..., j] for j in range(len(entries))], entries)
    return mixture_log_density(pt.log(weights), densities + _log_units(seen, per_unit), counts, labels)


def marginal_diagonal_logp(
    y: Any, weights: Any, means: Any, deviations: Any, per_unit: Any, counts: Any, labels: Any
) -> Any:
    """As `models.gaussians.normal_distribution.diagonal_logp`, of what was seen."""
    import pymc as pm
    import pytensor.tensor as pt

    seen, columns, means = _in_units(y, means, per_unit)
    densities = sum(
        pt.switch(there, pm.logp(pm.Normal.dist(means[..., j], deviations[..., j]), x), 0.0)
        for j, (there, x) in enumerate(zip(seen, columns, strict=True))
    )
    return mixture_log_density(pt.log(weights), densities + _log_units(seen, per_unit), counts, labels)


def _in_units(y: Any, means: Any, per_unit: Any) -> tuple[list[Any], list[Any], Any]:
    """By feature whether rows ``(n, 1)`` have it, and its values in units, 0 where they have not; and the means in units."""
    import pytensor.tensor as pt

    d, there = int(means.type.shape[-1]), pt.invert(pt.isnan(y))
    inside = pt.switch(there, y, 0.0) * per_unit
    seen, columns = ([each[..., j, None] for j in range(d)] for each in (there, inside))
    return seen, columns, means * per_unit[..., None, :]


def _log_units(seen: Sequence[Any], per_unit: Any) -> Any:
    """``(n, 1)`` what a density in units lacks of one in the user's."""
    import pytensor.tensor as pt

    return sum(pt.switch(there, pt.log(per_unit[..., j, None]), 0.0) for j, there in enumerate(seen))


def _seen_normal_logp(
    columns: Sequence[Any], seen: Sequence[Any], means: Sequence[Any], entries: Sequence[Sequence[Any]]
) -> Any:
    """Log density of the cells seen under N(means, L L'); a cell that was not has correlation 0 with all, and no density."""
    import pymc as pm
    import pytensor.tensor as pt

    total: Any = 0.0
    roots: list[list[Any]] = []
    solved: list[Any] = []
    for i, (x, there, mean) in enumerate(zip(columns, seen, means, strict=True)):
        root: list[Any] = []
        variance = _product(entries[i], entries[i])
        for j, before in enumerate(roots):
            shared = pt.switch(pt.and_(there, seen[j]), _product(entries[i], entries[j]), 0.0)
            root.append((shared - _product(root, before)) / before[j])
            mean = mean + root[j] * solved[j]
            variance = variance - root[j] ** 2
        root.append(pt.sqrt(variance))
        total = total + pt.switch(there, pm.logp(pm.Normal.dist(mean, root[i]), x), 0.0)
        solved.append(pt.switch(there, (x - mean) / root[i], 0.0))
        roots.append(root)
    return total


def _product(left: Sequence[Any], right: Sequence[Any]) -> Any:
    """The sum of products, up to the shorter end; 0 of nothing."""
    return sum((a * b for a, b in zip(left, right, strict=False)), start=0.0)
