"""Coordinates without bounds of a program's parameters, by the domains that the program says."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import prod
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from scipy.special import expit, log_expit, logit

from models.inputs import Floats, read_only, some_of

if TYPE_CHECKING:
    import pymc as pm

# Beyond such a coordinate a number is at its bound: a probability of 1e-14.
FARTHEST = 32.0
# Coordinates towards a bound at which densities are still looked at.
INSIDE = 8.0


@cache
def contrasts(k: int) -> Floats:
    """``(k, k - 1)`` orthonormal columns of sum 0."""
    return read_only(np.linalg.svd(np.eye(k) - 1 / k)[0][:, : k - 1])


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """One parameter: its name, shape and domain.

    Attributes
    ----------
    kind : "log" above ``low``, "logit" between ``low`` and ``high``, "simplex" along its last axis
    """

    name: str
    shape: tuple[int, ...]
    kind: Literal["identity", "log", "logit", "simplex"]
    low: float = -np.inf
    high: float = np.inf

    @property
    def size(self) -> int:
        """Its numbers."""
        return prod(self.shape)

    @property
    def free(self) -> int:
        """Its coordinates."""
        return self.size // self.shape[-1] * (self.shape[-1] - 1) if self.kind == "simplex" else self.size

    @property
    def domain(self) -> str:
        """In words."""
        if self.kind == "simplex":
            return "shares of 1 along the last axis"
        if self.kind == "logit":
            return f"{self.low:g} to {self.high:g}"
        return f"above {self.low:g}" if self.kind == "log" else "real numbers"

    def logs(self, x: Floats, farthest: float) -> tuple[Floats, Any]:
        """Of a simplex logarithms ``(..., rows, K)``, but for a constant, and which are no farther from the largest."""
        logs = x.reshape(*x.shape[:-1], -1, self.shape[-1] - 1) @ self.contrasts().T
        # Of two shares the one coordinate is this difference over the root of 2.
        return logs, logs >= logs.max(axis=-1, keepdims=True) - np.sqrt(2) * farthest * (1 + 4 * np.finfo(float).eps)

    def contrasts(self) -> Floats:
        """``(K, K - 1)`` orthonormal and of sum 0: log ratios by them are permuted by a rotation."""
        return contrasts(self.shape[-1])

    def to_free(self, values: Floats) -> Floats:
        """Coordinates ``(..., free)`` of values ``(..., *shape)``; infinite at a bound."""
        lead = values.shape[: values.ndim - len(self.shape)]
        with np.errstate(divide="ignore", invalid="ignore"):
            if self.kind == "log":
                values = np.log(values - self.low)
            elif self.kind == "logit":
                values = logit((values - self.low) / (self.high - self.low))
            elif self.kind == "simplex":
                values = np.log(np.maximum(values, np.finfo(float).tiny)) @ self.contrasts()
        return np.reshape(values, (*lead, self.free))

    def from_free(self, x: Floats) -> Floats:
        """Values ``(..., *shape)`` at coordinates ``(..., free)``."""
        lead = x.shape[:-1]
        if self.kind == "simplex":
            logs = x.reshape(*lead, *self.shape[:-1], self.shape[-1] - 1) @ self.contrasts().T
            shares = np.exp(logs - logs.max(axis=-1, keepdims=True))
            return np.asarray(shares / shares.sum(axis=-1, keepdims=True))
        if self.kind == "log":
            x = self.low + np.exp(x)
        elif self.kind == "logit":
            x = self.low + (self.high - self.low) * expit(x)
        return np.reshape(x, (*lead, *self.shape))

    def log_jacobian(self, x: Floats) -> Floats:
        """``(...)`` log determinant of the free numbers by the coordinates."""
        if self.kind == "log":
            return np.asarray(x.sum(axis=-1))
        if self.kind == "logit":
            return np.asarray((np.log(self.high - self.low) + log_expit(x) + log_expit(-x)).sum(axis=-1))
        if self.kind == "simplex":
            k = self.shape[-1]
            logs = np.log(np.maximum(self.from_free(x), np.finfo(float).tiny))
            return np.asarray(logs.reshape(*x.shape[:-1], -1).sum(axis=-1) + 0.5 * np.log(k) * (self.size // k))
        return np.zeros(x.shape[:-1])

    def moves(self, x: Floats) -> Floats:
        """``(size, free)`` derivative of the values by the coordinates at ``(free,)``."""
        if self.kind == "log":
            return np.diag(np.exp(x))
        if self.kind == "logit":
            return np.diag((self.high - self.low) * expit(x) * expit(-x))
        if self.kind == "simplex":
            k, b = self.shape[-1], self.contrasts()
            rows = self.from_free(x).reshape(-1, k)
            found = np.zeros((self.size, self.free))
            for j, w in enumerate(rows):
                found[j * k : (j + 1) * k, j * (k - 1) : (j + 1) * (k - 1)] = (np.diag(w) - np.outer(w, w)) @ b
            return found
        return np.eye(self.size)

    def pulled(self, x: Floats, gradient: Floats) -> Floats:
        """``(free,)`` gradient by the coordinates at ``x`` of what has this one ``(size,)`` by the values."""
        if self.kind == "log":
            return np.asarray(np.exp(x) * gradient)
        if self.kind == "logit":
            return np.asarray((self.high - self.low) * expit(x) * expit(-x) * gradient)
        if self.kind == "simplex":
            w, g = self.from_free(x), gradient.reshape(self.shape)
            return np.ravel((w * (g - (w * g).sum(axis=-1, keepdims=True))) @ self.contrasts())
        return gradient


@dataclass(frozen=True, slots=True, eq=False)
class Coordinates:
    """All parameters of a program, one after the other."""

    blocks: tuple[Block, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Of the parameters."""
        return tuple(block.name for block in self.blocks)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Of the parameters."""
        return {block.name: block.shape for block in self.blocks}

    @property
    def size(self) -> int:
        """Coordinates."""
        return sum(block.free for block in self.blocks)

    def kinds(self) -> list[str]:
        """``f`` kinds, of each coordinate that of its parameter."""
        return [block.kind for block in self.blocks for _ in range(block.free)]

    def off_bounds(self, x: Floats, farthest: float = FARTHEST) -> Floats:
        """Coordinates ``(..., f)`` no farther out than this towards a bound; real numbers have none.

        A share that is raised leaves the others to each other as they are.
        """
        parts = []
        for block, part in zip(self.blocks, self._parts(x), strict=True):
            if block.kind == "simplex":
                logs, kept = block.logs(part, farthest)
                raised = (
                    np.where(kept, logs, logs.max(axis=-1, keepdims=True) - np.sqrt(2) * farthest) @ block.contrasts()
                )
                rows = part.reshape(raised.shape)
                parts.append(np.where(kept.all(axis=-1, keepdims=True), rows, raised).reshape(part.shape))
            else:
                low = -np.inf if block.kind == "identity" else -farthest
                parts.append(np.clip(part, low, farthest if block.kind == "logit" else np.inf))
        return np.concatenate(parts, axis=-1)

    def inside(self, x: Floats) -> Any:
        """``(f,)`` whether a coordinate is off its bounds."""
        return np.asarray(self.off_bounds(x) == x) & np.isfinite(x)

    def ways(self, x: Floats) -> Floats:
        """``(f, m)`` orthonormal ways from ``x`` ``(f,)`` along which nothing comes to a bound, nor off one."""
        from scipy.linalg import block_diag

        found = []
        for block, part in zip(self.blocks, self._parts(x), strict=True):
            if block.kind == "simplex":
                for kept in block.logs(part, FARTHEST)[1]:
                    among = np.zeros((len(kept), max(int(kept.sum()) - 1, 0)))
                    among[kept] = contrasts(int(kept.sum()))
                    found.append(np.eye(len(kept) - 1) if kept.all() else block.contrasts().T @ among)
            else:
                found.append(np.eye(block.size)[:, Coordinates((block,)).inside(part)])
        return np.asarray(block_diag(*found))

    def at_bounds(self, x: Floats) -> Any:
        """``(p,)`` which of all numbers are at a bound at ``x`` ``(f,)``."""
        found = []
        for block, part in zip(self.blocks, self._parts(x), strict=True):
            if block.kind == "simplex":
                kept = block.logs(part, FARTHEST)[1]
                # The only share that is left is at its bound too.
                found.append(np.ravel(~kept | (kept.sum(axis=-1, keepdims=True) < min(2, kept.shape[-1]))))
            else:
                found.append(~Coordinates((block,)).inside(part))
        return np.concatenate(found)

    def _parts(self, x: Floats) -> list[Floats]:
        return np.split(x, np.cumsum([block.free for block in self.blocks])[:-1], axis=-1)

    def of(self, values: dict[str, Floats]) -> Floats:
        """Coordinates ``(..., f)`` of parameters."""
        return np.concatenate([block.to_free(np.asarray(values[block.name])) for block in self.blocks], axis=-1)

    def values(self, x: Floats) -> dict[str, Floats]:
        """Parameters at coordinates ``(..., f)``."""
        return {block.name: block.from_free(part) for block, part in zip(self.blocks, self._parts(x), strict=True)}

    def log_jacobian(self, x: Floats) -> Floats:
        """``(...)`` log determinant of the free numbers by the coordinates."""
        parts = zip(self.blocks, self._parts(x), strict=True)
        return np.asarray(sum(block.log_jacobian(part) for block, part in parts))

    def moves(self, x: Floats) -> Floats:
        """``(p, f)`` derivative of all numbers by the coordinates at ``(f,)``."""
        from scipy.linalg import block_diag

        parts = zip(self.blocks, self._parts(x), strict=True)
        return np.asarray(block_diag(*(block.moves(part) for block, part in parts)))

    def pulled(self, x: Floats, gradient: Floats) -> Floats:
        """``(f,)`` gradient by the coordinates at ``x`` of what has this one ``(p,)`` by all numbers."""
        by_block = np.split(gradient, np.cumsum([block.size for block in self.blocks])[:-1])
        parts = zip(self.blocks, self._parts(x), by_block, strict=True)
        return np.concatenate([block.pulled(part, each) for block, part, each in parts])

    def vector(self, values: dict[str, Floats]) -> Floats:
        """All numbers ``(p,)`` of parameters."""
        return np.concatenate([np.ravel(values[block.name]) for block in self.blocks])

    def by_name(self, vector: Floats) -> dict[str, Floats]:
        """Invert `vector`."""
        parts = np.split(vector, np.cumsum([block.size for block in self.blocks])[:-1])
        return {block.name: part.reshape(block.shape) for block, part in zip(self.blocks, parts, strict=True)}

    def free_numbers(self, values: dict[str, Floats]) -> Floats:
        """Each free number once: of shares all but the last."""
        return np.concatenate(
            [
                np.ravel(values[block.name][..., :-1] if block.kind == "simplex" else values[block.name])
                for block in self.blocks
            ]
        )

    def domain(self, name: str) -> str:
        """Of a parameter, in words."""
        return next(block.domain for block in self.blocks if block.name == name)

    def outside(self, values: dict[str, Floats]) -> str | None:
        """The name of a parameter that is outside its domain, or no number."""
        for block in self.blocks:
            told = np.asarray(values[block.name])
            if not np.isfinite(told).all() or (told < block.low).any() or (told > block.high).any():
                return block.name
            if block.kind == "simplex" and not ((told >= 0).all() and np.allclose(told.sum(axis=-1), 1, atol=1e-8)):
                return block.name
        return None


def coordinates_of(model: pm.Model) -> Coordinates:
    """The domains of a program's free variables, by its transforms.

    Raises
    ------
    ValueError
        for a free variable that is discrete, or whose domain is none of those known here
    """
    if not model.free_RVs:
        raise ValueError("model has no free variables; declare the parameters as variables of the program")
    if discrete := [v.name for v in model.discrete_value_vars]:
        raise ValueError(
            f"model has the discrete free variable {discrete[0]}; sum it out of the program, as pm.Mixture does"
        )
    return Coordinates(tuple(block_of(model, variable) for variable in model.free_RVs))


def block_of(model: pm.Model, variable: Any) -> Block:
    """The domain of one free variable, by its transform; ValueError where it is none of those known here."""
    transform = model.rvs_to_transforms[variable]
    shape = tuple(int(n) for n in variable.shape.eval()) if variable.ndim else ()
    return _block(variable, transform, shape)


def _block(variable: Any, transform: Any, shape: tuple[int, ...]) -> Block:
    from pymc.logprob import transforms

    name = str(variable.name)
    if transform is None:
        return Block(name, shape, "identity")
    if isinstance(transform, transforms.LogTransform):
        return Block(name, shape, "log", 0.0)
    if isinstance(transform, transforms.LogOddsTransform):
        return Block(name, shape, "logit", 0.0, 1.0)
    if isinstance(transform, transforms.SimplexTransform):
        return Block(name, shape, "simplex", 0.0, 1.0)
    if isinstance(transform, transforms.IntervalTransform):
        low, high = (
            None if end is None else np.asarray(end.eval()) for end in transform.args_fn(*variable.owner.inputs)
        )
        if all(end is None or np.ptp(end) == 0 for end in (low, high)):
            bottom = -np.inf if low is None else float(low.flat[0])
            top = np.inf if high is None else float(high.flat[0])
            if np.isfinite(bottom):
                return Block(name, shape, "logit" if np.isfinite(top) else "log", bottom, top)
    known = some_of(["real", "positive", "between two numbers", "shares of 1"])
    raise ValueError(
        f"model's variable {name} has the transform {type(transform).__name__}, whose domain is not known here; leave an ordered "
        f"transform out, since components are put in order afterwards, and write another one by variables that are {known}"
    )
