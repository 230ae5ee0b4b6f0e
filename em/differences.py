"""Maxima and derivatives of sums over rows of which values alone are known: Newton's method on central differences.

Differences are of fourth order, in steps of 0.3 % of the standard deviation that one row leaves to a parameter: on that scale log
densities are alike whatever their units, and neither what is left out, of the order of the step's fourth power, nor the rounding
of the values over its square costs more than the tenth digit. All points of all functions are asked for in one
call, as a call of `scipy.stats` costs more than a few hundred rows.

Here and in `em.general` a function is one of ``(m, q, ...)`` points, ``q`` coordinates without bounds of each, with ``(m, ...)``
values; and ``...`` are as many functions, each of its own coordinates.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from em.mixture import EPSILON
from models.inputs import Floats, Integers

type Function = Callable[[Floats], Floats]

# Steps of differences, in standard deviations that one row leaves. A step is right within a factor, and is sought so often; it is
# made no more than so many times what it is sought from, which tells where a logarithm is no longer straight.
STEP, RIGHT, SOUGHT, LONGER = 0.003, 4.0, 12, 3.0
# Least step, in roundings of the coordinate, so that points are where they are asked for to a percent or two; and standard
# deviations in a step beyond which differences say nothing of the derivatives.
LEAST, TOO_LONG = 64.0, 0.3
OFFSETS = np.array([-2.0, -1.0, 1.0, 2.0])
FIRST = np.array([1.0, -8.0, 8.0, -1.0]) / 12
SECOND, CENTRE = np.array([-1.0, 16.0, 16.0, -1.0]) / 12, -30 / 12
# Newton's step at most, in the same standard deviations and in steps of differences along each axis of the curvature, and by what
# it is made shorter, or longer where it was cut.
LONGEST, MOST_STEPS, LENGTHS = 1.0, 300.0, np.array([16.0, 4.0, 1.0, 0.25, 1 / 16, 1 / 256])
# A step that promises less than this many nats is the last: the next would promise about its square. Steps at most.
LAST, TIMES = 1e-6, 100


def directions(q: int) -> Floats:
    """``(q (q + 1) / 2, q)`` the axes, and the sum of each two."""
    a, b = np.triu_indices(q, 1)
    return np.concatenate([np.eye(q), np.eye(q)[a] + np.eye(q)[b]])


def expanded(of: Function, at: Floats, steps: Floats) -> tuple[Floats, Floats, Floats]:
    """Values ``(...)``, and first ``(q, ...)`` and second derivatives ``(q, q, ...)`` by coordinates in units of ``steps``."""
    q = len(at)
    along = np.multiply.outer(OFFSETS, directions(q)).swapaxes(0, 1)  # direction, offset, coordinate
    points = at + along.reshape(-1, *along.shape[2:], *(1,) * (at.ndim - 1)) * steps
    values = of(np.concatenate([at[None], points]))
    centre, around = values[0], values[1:].reshape(*along.shape[:2], *values.shape[1:])
    second = np.empty((q, q, *centre.shape))
    with np.errstate(all="ignore"):  # values may end within a step
        first = np.tensordot(FIRST, around[:q], (0, 1))
        curved = np.tensordot(SECOND, around, (0, 1)) + CENTRE * centre
        second[range(q), range(q)] = curved[:q]
        for a, b, both in zip(*np.triu_indices(q, 1), curved[q:], strict=True):
            second[a, b] = second[b, a] = 0.5 * (both - curved[a] - curved[b])
    return centre, first, second


def along_axes(of: Function, at: Floats, steps: Floats) -> tuple[Floats, Floats, Floats]:
    """Values ``(...)``, and first and second derivatives ``(q, ...)`` by each coordinate alone in units of ``steps``."""
    q = len(at)
    along = np.multiply.outer(OFFSETS, np.eye(q)).reshape(-1, q, *(1,) * (at.ndim - 1))
    values = of(np.concatenate([at[None], at + along * steps]))
    around = values[1:].reshape(len(OFFSETS), q, *values.shape[1:])
    with np.errstate(all="ignore"):  # values may end within a step
        second = np.tensordot(SECOND, around, (0, 0)) + CENTRE * values[0]
        return values[0], np.tensordot(FIRST, around, (0, 0)), second


def right_steps(of: Function, at: Floats, rows: Floats, steps: Floats, size: float = STEP) -> Floats:
    """``(q, ...)`` steps that are ``size`` standard deviations of one of ``rows`` ``(...)``, sought from ``steps``.

    Where nothing bends there is no such step, and where values end within one it is made shorter, but never so short that the
    rounding of ``at`` tells in it.
    """
    q, longest, shortest = len(at), LONGER * steps, LEAST * EPSILON * np.abs(at)
    along = np.concatenate([np.zeros((1, q)), np.eye(q), -np.eye(q)]).reshape(-1, q, *(1,) * (at.ndim - 1))
    for _ in range(SOUGHT):
        values = of(at + along * steps)
        with np.errstate(all="ignore"):
            bends = np.abs(values[1 : q + 1] - 2 * values[0] + values[q + 1 :]) / rows
            factors = size / np.sqrt(bends)
        right = np.where(np.isfinite(bends), steps * factors, steps / RIGHT)
        right = np.maximum(np.minimum(right, longest), shortest)
        if ((right < RIGHT * steps) & (right > steps / RIGHT)).all():
            break
        steps = right
    return steps


def maximised(of_some: Callable[[Integers], Function], at: Floats, rows: Floats, steps: Floats) -> Floats:
    """``(q, F)`` where Newton's method leads from ``at``; no function ends lower there than it began, but for rounding.

    ``of_some`` gives the functions of these numbers, that are sums over ``rows`` ``(F,)``, which says how long a step is; where
    derivatives are not finite a point stays, and so does a coordinate that is rounded more than a function can bear, as the
    place of a component that closes in on one row. Differences are sought from ``steps`` ``(q, F)``.
    """
    every_coordinate = range(len(at))
    found, going = at.copy(), np.arange(at.shape[1])
    for _ in range(TIMES):
        of, at, n = of_some(going), found[:, going], rows[going]
        near = right_steps(of, at, n, steps[:, going])
        before, first, second = expanded(of, at, near)
        finite = np.isfinite(second).all(axis=(0, 1)) & np.isfinite(first).all(axis=0)
        clear = finite & (np.abs(second[every_coordinate, every_coordinate]) < TOO_LONG**2 * n)
        slopes = np.where(clear, first, 0.0).T
        curves, axes = np.linalg.eigh(-np.where(clear & clear[:, None], second, 0.0).transpose(2, 0, 1))
        turned = (axes.swapaxes(1, 2) @ slopes[..., None])[..., 0]
        rounded = 4 * EPSILON * (np.abs(before) + n)
        # Away from a saddle too, and not for ever where nothing bends; nor at all where nothing rises there but by rounding.
        bent = np.abs(curves) >= np.abs(turned) / MOST_STEPS
        curves = np.maximum(np.abs(curves), np.abs(turned) / MOST_STEPS)
        rises = (curves > 0) & (bent | (np.abs(turned) > rounded[:, None]))
        moves = np.divide(turned, curves, out=np.zeros_like(turned), where=rises)
        promised = 0.5 * (moves * turned).sum(axis=1)
        step = (axes @ moves[..., None])[..., 0].T * near
        far = np.sqrt(2 * promised / n)
        lengths = np.minimum(np.multiply.outer(LENGTHS, LONGEST / np.maximum(far, LONGEST)), 1.0)
        values = of(at + lengths[:, None] * step)
        values = np.where(np.isnan(values), -np.inf, values)
        best, every = values.argmax(axis=0), np.arange(len(going))
        higher, last = values[best, every] > before, promised < LAST
        # What gains less than the values are rounded by is right by the derivatives, which have more digits.
        close = last & (values[2] >= before - rounded)
        length = np.where(close, lengths[2], np.where(higher, lengths[best, every], 0.0))
        found[:, going] = np.where(finite, at + length * step, at)
        going = going[finite & higher & ~last]
        if not len(going):
            break
    return found
