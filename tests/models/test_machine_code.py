"""Claims about machine code kept on disk: compiled once, the same bits and draws from then on, and those of the graph."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.compile.sharedvalue import SharedVariable
from pytensor.graph.traversal import graph_inputs

from models import CoinTosses, LogPosterior, coin_mixture
from models.machine_code import graph_key

pytestmark = pytest.mark.sampling

ROOT = Path(__file__).parents[2]
# Tells how many functions numba compiles for a sample, whether the code was on disk, and the bits of densities and draws.
PROCESS = """
import json
from hashlib import sha256
import numpy as np
from numba.core import event
from comparisons import catalogue, datasets, families
from comparisons.posterior.nuts import sample
from models import LogPosterior

comparison = catalogue.declaration("two-coin")
problem = families.problem(comparison, comparison.data(datasets.load(comparison.dataset)))
density = LogPosterior(problem.model(), compiled=True)
with event.install_recorder("numba:compile") as compilations:
    tree = sample(problem, density, 100, 2, 1, 0.9)
points = np.random.default_rng(0).normal(size=(200, density.size))
told = [np.array([*density.parts(x), *density.gradient(x, prior=True)]) for x in points]
draws = [tree["posterior"]["head_probabilities"].values, tree["sample_stats"]["logp"].values]
bits = [sha256(np.concatenate([np.ravel(v) for v in of]).tobytes()).hexdigest() for of in (told, draws)]
print(json.dumps({"compilations": len(compilations.buffer) // 2, "loaded": density.code.loaded, "bits": bits}))
"""


def process(caches: Path) -> dict[str, Any]:
    """What a new process finds with these caches."""
    places = {"PYTENSOR_FLAGS": f"base_compiledir={caches}", "NUMBA_CACHE_DIR": str(caches / "numba-of-files")}
    run = [sys.executable, "-c", PROCESS]
    done = subprocess.run(run, cwd=ROOT, env=os.environ | places, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


def test_a_second_process_compiles_nothing_and_draws_the_same_bits(tmp_path: Path) -> None:
    first = process(tmp_path)
    assert first["compilations"] > 0
    assert not first["loaded"]
    second = process(tmp_path)
    assert (second["compilations"], second["loaded"]) == (0, True)
    assert second["bits"] == first["bits"]


def test_a_graph_that_was_evaluated_before_is_the_same_graph() -> None:
    """What its operations keep of that, and which of their parts are one object, is nothing to compile it anew for."""

    def graph_of(density: LogPosterior) -> str | None:
        x, shares, parts = density._graph
        inputs = [x, shares, *(v for v in graph_inputs(parts) if isinstance(v, SharedVariable))]
        return graph_key(inputs, parts)

    tosses = CoinTosses([5, 9, 8, 4, 7], 10)
    used, fresh = (LogPosterior(coin_mixture(tosses, 3)) for _ in range(2))
    before = graph_of(used)
    used.parts(np.zeros(used.size))
    used.gradient(np.zeros(used.size), prior=True)
    assert before is not None
    assert graph_of(used) == graph_of(fresh) == before
    assert graph_of(LogPosterior(coin_mixture(tosses, 2))) != before
    assert graph_of(LogPosterior(coin_mixture(tosses, 3, "equal"))) != before


def test_loops_over_the_same_graph_that_run_otherwise_are_other_graphs() -> None:
    x = pt.vector("x", shape=(4,))

    def added(backwards: bool, cut: int = -1) -> Any:
        steps = {"go_backwards": backwards, "truncate_gradient": cut, "return_updates": False}
        return pytensor.scan(lambda each, so_far: so_far + each, x, pt.zeros(()), **steps)[-1]

    keys = [graph_key([x], [each]) for each in (added(False), added(False), added(False, 2))]
    assert keys[0] == keys[1] != keys[2]
    assert None not in keys


def test_machine_code_is_the_graph_and_takes_other_data() -> None:
    few, more = CoinTosses([5, 9, 8, 4, 7], 10), CoinTosses([1, 3, 9, 9, 2, 4, 11], 12)
    shared = LogPosterior(coin_mixture(few, 2, "equal"), compiled=True)
    random = np.random.default_rng(3)
    for tosses in (few, more, few):
        shared.take_data(coin_mixture(tosses, 2, "equal"))
        alone = LogPosterior(coin_mixture(tosses, 2, "equal"))
        for x in random.normal(size=(5, 2)):
            # Sums of a few terms of a size of tens.
            np.testing.assert_allclose(shared.parts(x), alone.parts(x), rtol=1e-13, atol=1e-13)
            for prior in (False, True):
                ours, theirs = (density.gradient(x, prior=prior) for density in (shared, alone))
                np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-12)


def test_draws_are_put_on_the_natural_scale_as_points_are() -> None:
    model = coin_mixture(CoinTosses([5, 9, 8, 4, 7], 10), 3)
    with model:
        pm.Deterministic("odds", model["head_probabilities"] / (1 - model["head_probabilities"]))
        pm.Deterministic("same_for_all", pt.constant([2.0, 3.0]))
    density = LogPosterior(model)
    points = np.random.default_rng(4).normal(size=(6, density.size))
    together = density.naturals(points)
    assert together["odds"].shape == (6, 3)
    for j, x in enumerate(points):
        for name, value in density.natural(x).items():
            np.testing.assert_array_equal(together[name][j], value)
