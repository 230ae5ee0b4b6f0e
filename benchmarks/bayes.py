"""Processor time of a comparison beside a plain script of PyMC: ``python -m benchmarks.bayes [--turns 3]``.

The script is what a user would write for the same question: a mixture with ordered means, `find_MAP`, `pm.sample` by nutpie,
ArviZ's summary. The comparison is ``comparisons run faithful --fresh`` with its checks, figures and report. Each runs in a
process of its own, with its children's time counted, first with empty compilers' caches and then with those that it left; they
take turns, so that what else the machine does falls on both alike. Comparisons share their caches, as on any machine: cold,
each finds what those before it have compiled. `TOGETHER` is one command that runs them all, with caches of its own, as
``make compare`` does. Commands that compute nothing follow.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from comparisons.settings import SINGLE_THREADED

HERE = Path(__file__).resolve().parent.parent
SCRIPT = """
import arviz as az, numpy as np, pandas as pd, pymc as pm
y = pd.read_csv("comparisons/datasets/faithful.csv")["waiting"].to_numpy(float)
with pm.Model() as model:
    w = pm.Dirichlet("w", np.ones(2))
    ordered = pm.distributions.transforms.ordered
    mu = pm.Normal("mu", y.mean(), 2 * y.std(), shape=2, transform=ordered, initval=[50.0, 80.0])
    sigma = pm.HalfNormal("sigma", 20.0, shape=2)
    pm.NormalMixture("y", w=w, mu=mu, sigma=sigma, observed=y)
    pm.find_MAP(progressbar=False)
    draws = pm.sample(1000, tune=1000, chains=4, nuts_sampler="nutpie", random_seed=1, progressbar=False)
az.summary(draws)
"""
COMMAND = [sys.executable, "-m", "comparisons"]
TOGETHER = "all by one command"


def seconds(command: list[str], caches: Path) -> float:
    """Of processor time of the command and its children."""
    kept = {"PYTENSOR_FLAGS": f"base_compiledir={caches / 'pytensor'}", "NUMBA_CACHE_DIR": str(caches / "numba")}
    variables = os.environ | kept | dict.fromkeys(SINGLE_THREADED, "1") | {"PYTHONPATH": str(HERE)}
    # As on most machines, where Python keeps the bytecode of what it imports.
    variables.pop("PYTHONDONTWRITEBYTECODE", None)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, cwd=HERE, env=variables, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def turn(names: list[str]) -> dict[str, list[float]]:
    """Seconds cold and warm of the script and of each comparison, begun with empty caches."""
    taken: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        runs = {"script": [sys.executable, "-c", SCRIPT]}
        runs |= {name: [*COMMAND, "run", name, "--fresh", "--out", f"{scratch}/results"] for name in names}
        runs[TOGETHER] = [*COMMAND, "run", *names, "--fresh", "--out", f"{scratch}/results"]
        for state in ("cold", "warm"):
            for name, command in runs.items():
                caches = Path(scratch) / (name if name in ("script", TOGETHER) else "comparisons")
                taken.setdefault(name, []).append(seconds(command, caches))
                print(f"{name}, {state}: {taken[name][-1]:.1f} s", file=sys.stderr, flush=True)
        for command in (["--help"], ["list"], ["show", names[0], "--out", f"{scratch}/results"]):
            taken[command[0]] = [seconds([*COMMAND, *command], Path(scratch))] * 2
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=["faithful", "two-coin"], help="comparisons of the catalogue")
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args()
    turns = []
    for _ in range(options.turns):
        turns.append(turn(options.names))
        print(json.dumps(turns[-1]), file=sys.stderr, flush=True)
    print("| | cold, s | of the script | warm, s | of the script |\n| --- | --- | --- | --- | --- |")
    for name in turns[0]:
        cells = []
        for state in (0, 1):
            ratio = median(each[name][state] / each["script"][state] for each in turns)
            cells.append(f"{median(each[name][state] for each in turns):.2f} | {ratio:.2f}×")
        print(f"| {name} | {' | '.join(cells)} |")
    many = len(options.names)
    for state, told in enumerate(("cold", "warm")):
        alone = median(many * t["script"][state] / sum(t[n][state] for n in options.names) for t in turns)
        together = median(many * t["script"][state] / t[TOGETHER][state] for t in turns)
        print(
            f"{many} such scripts take {alone:.2f} times as long as these comparisons one by one, and {together:.2f} times as "
            f"long as {TOGETHER}, {told}."
        )


if __name__ == "__main__":
    main()
