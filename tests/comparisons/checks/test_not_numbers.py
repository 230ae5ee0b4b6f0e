"""The claim that NaN in any number that a check or adequacy reads decides nothing: no such judgement ends in agree or differ.

The judgement is of draws that are independent and of the right posterior, which is conjugate where all labels are known, so
that it is `agree` and needs no sampler. What every stage hands to the next is walked through, leaf by leaf; a field that is
new is swept without being named here.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import xarray as xr

import models
from comparisons import judgement, quantities
from comparisons.checks import best_mode, draws_belong, same_density
from comparisons.families import mixtures
from comparisons.families.coins import COINS
from comparisons.families.mixtures import MixtureProblem
from comparisons.judgement import Clock, Judgement
from comparisons.not_numbers import not_numbers
from comparisons.posterior import importance, nuts, stein
from comparisons.summary import adequacy
from tests.conjugate_draws import DRAWS, coins, density, normals, tree

# Sizes of what the judgement looks at, which are no matter here: it is made some hundred times.
FEWER: tuple[tuple[Any, str, int], ...] = (
    (draws_belong, "STORED_DRAWS_CHECKED", 4),
    (best_mode, "SPREAD_OUT_DRAWS", 1),
    (same_density, "RANDOM_POINTS", 2),
    (same_density, "JACOBIAN_POINTS", 1),
    (stein, "MOST_DRAWS", 200),
    (stein, "FEWEST_DRAWS", 200),
    (importance, "DRAWS", 1000),
)


# What each stage hands on, by the place where the judgement finds it, and which of its calls are swept.
STAGES: dict[str, tuple[Any, str, tuple[int, ...]]] = {
    "EM": (MixtureProblem, "fit", (0, 1, 2, -2, -1)),
    "PyMC's mode": (models, "find_map", (0,)),
    "draws": (nuts, "sampled", (0,)),
    "second route": (importance, "sample", (0,)),
    "canonical draws": (nuts, "canonical", (-1,)),
    "searched": (best_mode, "_searched", (0, 1)),
    "best mode": (judgement, "best_mode", (0,)),
    "PyMC's mode, again": (judgement, "mode_again", (0,)),
    "table of draws": (quantities, "of_draws", (-1,)),
    "curvature": (mixtures, "curvature", (0, -1)),
    "prior spreads": (judgement, "prior_spreads", (0,)),
    "points": (judgement, "_points", (0,)),
    "standard errors": (judgement, "standard_errors_of", (0,)),
    "thresholds": (judgement, "_thresholds", (0,)),
    "quadrature": (type(COINS), "exact", (0,)),
    "posterior judged": (adequacy, "of_draws", (0,)),
    "Stein's identities": (stein, "identities", (0,)),
}
# What no limit is asked of, by the class that holds it: what is shown alone, and what of a fit does not exist everywhere and is
# worked out by the judgement itself.
NOT_READ: dict[str, tuple[str, ...]] = {
    "Fit": ("trace", "path", "rate", "decrement", "remaining", "standard_errors", "doubts", "_mixture"),
    "Drawn": ("target_accept",),
    "BestMode": ("check",),
}


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Ways to all that holds floating-point numbers in a value."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        skipped = NOT_READ.get(type(value).__name__, ())
        for field in dataclasses.fields(value):
            if field.name not in skipped:
                yield from leaves(getattr(value, field.name), (*path, field.name))
    elif isinstance(value, xr.DataTree):
        for group in value.children:
            yield from leaves(value[group].to_dataset(), (*path, group))
    elif isinstance(value, dict | xr.Dataset) or hasattr(value, "columns"):
        for name in value:
            yield from leaves(value[name], (*path, name))
    elif isinstance(value, tuple | list):
        for position, item in enumerate(value):
            yield from leaves(item, (*path, position))
    elif isinstance(value, float) or (hasattr(value, "dtype") and value.dtype.kind == "f" and np.size(value)):
        yield path


def poisoned(value: Any, path: tuple[Any, ...]) -> Any:
    """A copy of the value with NaN in one number at the end of the way."""
    if not path:
        if isinstance(value, float) or np.ndim(value) == 0:
            return np.nan
        # Whatever the sampler or the table: the same one of many numbers, neither the first nor the last.
        wounded = np.array(value)
        wounded.reshape(-1)[wounded.size // 2] = np.nan
        return wounded
    step, *rest = path
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        changed = copy.copy(value)
        object.__setattr__(changed, step, poisoned(getattr(value, step), tuple(rest)))
        return changed
    if isinstance(value, xr.DataTree):
        groups = {name: value[name].to_dataset() for name in value.children}
        return xr.DataTree.from_dict({**groups, step: poisoned(groups[step], tuple(rest))})
    if isinstance(value, xr.Dataset):
        return value.assign({step: (value[step].dims, poisoned(value[step].values, tuple(rest)))})
    if isinstance(value, tuple | list):
        return type(value)([poisoned(v, tuple(rest)) if j == step else v for j, v in enumerate(value)])
    changed = value.copy()
    changed[step] = poisoned(value[step] if isinstance(value, dict) else value[step].to_numpy(), tuple(rest))
    return changed


@dataclasses.dataclass
class Call:
    """One call of a stage: what it gave, and the number of the call that no other is around."""

    stage: str
    number: int
    root: int
    given: Any = None


class Stages:
    """A judgement whose stages give again what they gave in a sound one, up to one number, and go on from there."""

    def __init__(self, make: Callable[[], MixtureProblem]) -> None:
        self.make = make
        self.calls: list[Call] = []
        self.sound = {name: getattr(module, function) for name, (module, function, _) in STAGES.items()}

    def recorded(self, patch: pytest.MonkeyPatch) -> Judgement:
        """The sound judgement; what every stage gave is kept."""
        around: list[Call] = []
        for name, (module, function, _) in STAGES.items():

            def call(*arguments: Any, name: str = name, **options: Any) -> Any:
                number = len(self.calls)
                made = Call(name, number, around[0].number if around else number)
                self.calls.append(made)
                around.append(made)
                made.given = self.sound[name](*arguments, **options)
                around.pop()
                return made.given

            patch.setattr(module, function, call)
        return self.judged(patch)

    def swept(self, names: tuple[str, ...]) -> Iterator[tuple[Call, tuple[Any, ...]]]:
        """Every call of these stages that is swept, and every way to a number in what it gave."""
        for stage in names:
            which = STAGES[stage][2]
            of_stage = [call for call in self.calls if call.stage == stage]
            for place in sorted({j % len(of_stage) for j in which if -len(of_stage) <= j < len(of_stage)}):
                for path in leaves(of_stage[place].given):
                    yield of_stage[place], path

    def again(self, patch: pytest.MonkeyPatch, at: Call, path: tuple[Any, ...]) -> Judgement:
        """The judgement with NaN in one number. What was given before is given again, what comes after is made anew."""
        done: dict[str, int] = dict.fromkeys(STAGES, 0)
        for name, (module, function, _) in STAGES.items():
            of_stage = [call for call in self.calls if call.stage == name]
            known = [call.given for call in of_stage if call.number == call.root < at.root]
            before = len(known) + sum(at.root <= call.root and call.number < at.number for call in of_stage)

            def call(
                *arguments: Any, name: str = name, known: list[Any] = known, before: int = before, **options: Any
            ) -> Any:
                number, done[name] = done[name], done[name] + 1
                if number < len(known):
                    return known[number]
                # Quadrature reads no draw and takes seconds.
                kept = [each.given for each in self.calls if each.stage == name == "quadrature"]
                given = kept[0] if kept else self.sound[name](*arguments, **options)
                return poisoned(given, path) if name == at.stage and number == before else given

            patch.setattr(module, function, call)
        return self.judged(patch)

    def judged(self, patch: pytest.MonkeyPatch) -> Judgement:
        """The judgement of the draws that are known to be right."""
        patch.setattr(nuts, "sample", lambda *arguments: tree(self.make))
        for module, name, size in FEWER:
            patch.setattr(module, name, size)
        log_posterior, clock = density(self.make), Clock(lambda stage: None)
        return judgement.judge(
            self.make(), seed=3, draws=DRAWS[1], chains=4, clock=clock, density=lambda model: log_posterior
        )


# Two coins are judged by quadrature. What differs for normals is judged of the draws.
OF_DRAWS = ("draws", "second route", "table of draws", "posterior judged")


# NumPy and ArviZ warn of NaN, which is put there on purpose.
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(
    ("make", "names"), [(coins, tuple(STAGES)), pytest.param(normals, OF_DRAWS, marks=pytest.mark.long)]
)
def test_nan_in_any_number_decides_nothing(make: Callable[[], MixtureProblem], names: tuple[str, ...]) -> None:
    stages = Stages(make)
    with pytest.MonkeyPatch.context() as patch:
        sound = stages.recorded(patch)
    assert sound.verdict == "agree", sound.reasons
    assert not list(not_numbers([sound.quantities, sound.checks]))
    decided = []
    for call, path in stages.swept(names):
        with pytest.MonkeyPatch.context() as patch:
            found = stages.again(patch, call, path)
        if found.verdict in ("agree", "differ"):
            decided.append((call.stage, call.number, path, found.verdict))
    assert decided == []
