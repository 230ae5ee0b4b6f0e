"""How many latent classes items can tell apart.

Three conditions. Counting: J items have at most one free frequency less than patterns, and parameters beyond these are not
identified. Local: the patterns' probabilities, derived by the parameters, have full rank at parameters in general position
(Goodman 1974, Biometrika 61, 215). Sufficient: if the items can be put into three groups of a, b and c patterns, of which
min(a, K) + min(b, K) + min(c, K) is at least 2 K + 2, nearly all parameters are identified but for the order of the classes
(Kruskal 1977; Allman, Matias & Rhodes 2009, Annals of Statistics 37, 3099).
"""

from __future__ import annotations

import itertools
from functools import cache

import numpy as np

from comparisons.families.family import Setup
from em.latent_classes import LatentClassMixture
from em.uncertainty.scores import row_scores
from models.latent_classes import ItemResponses
from models.mixtures import MixtureWeights

# Patterns, and parameters times patterns, beyond which no rank is computed; items beyond which not all groups are tried.
MOST_PATTERNS, MOST_NUMBERS, MOST_ITEMS = 4096, 2**21, 9
# Largest singular value times this is rounding.
RANK = 1e-10


@cache
def rank(sizes: tuple[int, ...], k: int, held: tuple[float, ...] | None) -> int | None:
    """Directions of the parameters that patterns tell of at parameters in general position; None for too many patterns."""
    patterns = int(np.prod(sizes, dtype=float))
    weights = MixtureWeights(k, None if held is None else np.array(held))
    if patterns > MOST_PATTERNS or patterns * k * (1 + sum(sizes)) > MOST_NUMBERS:
        return None
    rows = list(itertools.product(*(range(size) for size in sizes)))
    mixture = LatentClassMixture(
        ItemResponses(rows, categories=[list(map(str, range(size))) for size in sizes]), weights, None
    )
    random = np.random.default_rng(0)
    own = [random.dirichlet(np.full(size, 2.0), k) for size in sizes]
    shares = random.dirichlet(np.full(k, 2.0)) if held is None else np.array(held)
    point = mixture.made(shares, *(column for p in own for column in p.T))
    scores = row_scores(mixture, point).full @ mixture.basis
    return int(np.linalg.matrix_rank(scores, tol=RANK * np.linalg.norm(scores, 2)))


def _held(problem: Setup) -> tuple[float, ...] | None:
    fixed = problem.weights.fixed
    return None if fixed is None else tuple(fixed.tolist())


def _of(problem: Setup) -> tuple[tuple[int, ...], int, int]:
    """Sizes of the items, K, and free parameters."""
    sizes, k = tuple(problem.data.sizes.tolist()), problem.comparison.n_components
    return sizes, k, k * (sum(sizes) - len(sizes)) + (k - 1 if problem.weights.free else 0)


def freedom(problem: Setup) -> int | None:
    """Degrees of freedom of complete, unlabelled rows: patterns but one, less what they tell of; None where it is not known."""
    sizes, k, _ = _of(problem)
    if not problem.data.observed.all() or (problem.data.labels >= 0).any():
        return None
    told = rank(sizes, k, _held(problem))
    return None if told is None else int(np.prod(sizes)) - 1 - told


def unidentified(problem: Setup) -> str | None:
    """Why patterns of these items cannot tell the classes apart; None where they may, or labels help."""
    sizes, k, parameters = _of(problem)
    if k == 1 or (problem.data.labels >= 0).any():
        return None
    patterns = float(np.prod(sizes, dtype=float))
    items = f"{len(sizes)} item{'s' * (len(sizes) > 1)}"
    if patterns - 1 < parameters:
        return (
            f"{items} have {patterns:.0f} patterns and so {patterns - 1:.0f} free frequencies, but {k} classes have {parameters} "
            "free parameters: take fewer classes, or more items"
        )
    told = rank(sizes, k, _held(problem))
    if told is not None and told < parameters:
        return (
            f"of the {parameters} free parameters of {k} classes the patterns of {items} tell {told} alone, wherever the "
            "parameters are (Goodman's condition): take fewer classes, or more items"
        )
    return None


def generic(sizes: tuple[int, ...], k: int) -> bool | None:
    """Whether three groups of items meet Kruskal's condition; None where groups are too many to try all and none was found."""
    if len(sizes) < 3:
        return False
    if len(sizes) <= MOST_ITEMS:
        each = itertools.product(range(3), repeat=len(sizes))
        found = any(_kruskal([sizes_of(sizes, groups, g) for g in range(3)], k) for groups in each)
        return found
    products = [1.0, 1.0, 1.0]
    for size in sorted(sizes, reverse=True):
        products[int(np.argmin(products))] *= size
    return True if _kruskal(products, k) else None


def sizes_of(sizes: tuple[int, ...], groups: tuple[int, ...], group: int) -> float:
    """Patterns of the items in a group."""
    return float(np.prod([size for size, g in zip(sizes, groups, strict=True) if g == group], dtype=float))


def _kruskal(patterns: list[float], k: int) -> bool:
    return sum(min(each, k) for each in patterns) >= 2 * k + 2


def told(problem: Setup) -> str:
    """What is known of how many classes the items tell apart, in a sentence."""
    sizes, k, _ = _of(problem)
    if k == 1:
        return ""
    most = k
    while generic(sizes, most + 1):
        most += 1
    if generic(sizes, k):
        return (
            f"Kruskal's condition holds: the patterns of {len(sizes)} items tell up to {most} classes apart, but for their order "
            "and for parameters of special values."
        )
    return (
        f"Kruskal's condition, which is sufficient, does not hold for {k} classes of {len(sizes)} items: nothing rules out that "
        "other parameters, far away, give the same probabilities."
    )
