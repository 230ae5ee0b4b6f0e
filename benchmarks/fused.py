"""A fused likelihood beside PyMC's own distributions: ``python -m benchmarks.fused [gradient | draws | posterior | verdict]``.

``gradient``: processor time of one log posterior with its gradient, both as machine code, in turns in one process. ``draws``:
effective draws for a second of processor time, warm-up included and compiling left out, of normals with so many ``--rows`` and of
coins, one row for each bag beside distinct bags with their counts; so many ``--draws`` of each of four chains, after as many of
warm-up, by medians over those of so many ``--seeds`` whose diagnostics pass. ``posterior``: a comparison of ``--rows``, by
default a million, of two features, five components and full covariances, until its posterior is drawn: time and resident memory
of each stage. What 5001 rows hold is what is held beside any data. ``verdict``: the same to its end.
"""

from __future__ import annotations

import argparse
import time
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

import models
from models import LogPosterior
from models.inputs import Floats

SHAPES = (1, 3), (2, 5)
ROWS = 1_000, 5_000, 100_000
TURNS, CALLS = 5, 3
# A comparison asks as much of its draws.
R_HAT, ESS = 1.01, 400
LIKELIHOODS: tuple[Any, ...] = ("pymc", "fused")


def normals(n: int, d: int, k: int) -> Floats:
    """Rows of a mixture whose components overlap."""
    random = np.random.default_rng(1)
    components, means = random.integers(0, k, n), 3.0 * np.arange(k)[:, None] + random.normal(size=(k, d))
    return np.asarray(
        means[components] + random.normal(size=(n, d)) * random.uniform(0.5, 1.5, k)[components, None], dtype=float
    )


def bags(n: int) -> models.CoinTosses:
    """Two coins, ten tosses a bag."""
    random = np.random.default_rng(1)
    return models.CoinTosses(random.binomial(10, np.where(random.random(n) < 0.4, 0.3, 0.7)), 10)


def gradients(name: str, built: dict[str, list[Any]]) -> None:
    """Print milliseconds of a call and their ratio, for the models of each likelihood, which have one graph."""
    densities = {each: LogPosterior(of[0], compiled=True) for each, of in built.items()}
    for place in range(len(built["pymc"])):
        best = dict.fromkeys(built, np.inf)
        for each, density in densities.items():
            density.take_data(built[each][place])
        x = densities["pymc"].spread_out_start(np.random.default_rng(1))
        for _ in range(TURNS):
            for each, density in densities.items():
                for _ in range(CALLS):
                    began = time.process_time()
                    density.value_and_gradient(x)
                    best[each] = min(best[each], time.process_time() - began)
        rows = len(built["pymc"][place]["counts"].get_value())
        slow, fast = (1e3 * best[each] for each in LIKELIHOODS)
        print(f"| {name} | {rows:,} | {slow:.3f} ms | {fast:.3f} ms | {slow / fast:.1f}× |", flush=True)


def gradient() -> None:
    print("| | rows | PyMC's own | fused | |\n| --- | --- | --- | --- | --- |")
    for d, k in SHAPES:
        data = [normals(n, d, k) for n in ROWS]
        built = {each: [models.gaussian_mixture(y, k, likelihood=each) for y in data] for each in LIKELIHOODS}
        gradients(f"normals, d={d}, K={k}", built)
    tosses = bags(100_000)
    each_bag = {
        each: [models.coin_mixture(some, likelihood=each) for some in (tosses, tosses.distinct())]
        for each in LIKELIHOODS
    }
    gradients("coins, 1e5 bags, then counted", each_bag)


def sampled(model: Any, draws: int, tune: int, seeds: int) -> list[tuple[float, float, float]]:
    """Of each seed effective draws and R-hat of the worst parameter, in canonical order, and processor seconds of sampling."""
    import arviz
    import nutpie

    compiled, found = nutpie.compile_pymc_model(model, var_names=[v.name for v in model.free_RVs]), []
    for seed in range(1, seeds + 1):
        began = time.process_time()
        tree = nutpie.sample(compiled, draws=draws, tune=tune, chains=4, cores=2, seed=seed, progress_bar=False)
        processor = time.process_time() - began
        summary = arviz.summary(models.canonical_order(tree), round_to="none")
        effective = summary[["ess_bulk", "ess_tail"]].to_numpy().min()
        found.append((float(effective), float(summary["r_hat"].max()), processor))
    return found


def beside(name: str, slow: Any, fast: Any, draws: int, seeds: int) -> None:
    """Print effective draws a second of both models, medians over the seeds that pass, and how many times more the second has."""
    rates, cells = [], []
    for model in (slow, fast):
        found = sampled(model, draws, draws, seeds)
        passed = [each for each in found if each[1] <= R_HAT and each[0] >= ESS]
        rates.append(median(effective / processor for effective, _, processor in passed or found))
        effective, r_hat, processor = (median(each) for each in zip(*(passed or found), strict=True))
        told = f"{effective:.0f} in {processor:.3g} s, R-hat {r_hat:.3f}, {len(passed)} of {seeds} pass"
        cells.append(f"{rates[-1]:.3g} ({told})")
    print(f"| {name} | {cells[0]} | {cells[1]} | {rates[1] / rates[0]:.1f}× |", flush=True)


def draws(rows: list[int], n_draws: int, seeds: int) -> None:
    print("| | PyMC's own | fused | |\n| --- | --- | --- | --- |")
    for n in rows:
        slow, fast = (models.gaussian_mixture(normals(n, 1, 3), 3, likelihood=each) for each in LIKELIHOODS)
        beside(f"normals, d=1, K=3, {n:,} rows", slow, fast, n_draws, seeds)
    tosses = bags(100_000)
    distinct = models.coin_mixture(tosses.distinct(), likelihood="fused")
    every = models.coin_mixture(tosses, likelihood="pymc")
    beside("coins, 1e5 bags, one row each; counted", every, distinct, n_draws, seeds)


class _Over(Exception):
    """Nothing further is asked."""


def stages(rows: int, last: str) -> None:
    """Print seconds and the most resident memory of each stage of a comparison, up to ``last`` where it is one of them."""
    import comparisons

    status, forget = Path("/proc/self/status"), Path("/proc/self/clear_refs")
    began: list[tuple[str, float, float]] = []

    def tell(stage: str) -> None:
        if began:
            name, wall, processor = began.pop()
            (most,) = (int(line.split()[1]) // 1024 for line in status.read_text().splitlines() if "VmHWM" in line)
            wall, processor = time.perf_counter() - wall, time.process_time() - processor
            print(f"| {name.partition(' (')[0]} | {wall:.0f} | {processor:.0f} | {most} |", flush=True)
            if name == last:
                raise _Over
        forget.write_text("5")
        began.append((stage, time.perf_counter(), time.process_time()))

    print(f"{rows:,} rows\n\n| stage | seconds | of processor time | most resident, MB |\n| --- | --- | --- | --- |")
    with suppress(_Over):
        result = comparisons.compare(normals(rows, 2, 5), "gaussians", 5, progress=tell)
        tell("over")
        print(f"\n{result.verdict}: {result.summary}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("gradient", "draws", "posterior", "verdict"), nargs="?", default="gradient")
    parser.add_argument("--rows", type=int, nargs="*", help="of normals [default: 5000 100000; 1000000]")
    parser.add_argument("--draws", type=int, default=1000, help="of each chain, and as many of warm-up")
    parser.add_argument("--seeds", type=int, default=1, help="of which draws are compared by their medians")
    options = parser.parse_args()
    if options.what == "draws":
        draws(options.rows or [5_000, 100_000], options.draws, options.seeds)
    elif options.what in ("posterior", "verdict"):
        for rows in options.rows or [1_000_000]:
            stages(rows, "sampling" if options.what == "posterior" else "")
    else:
        gradient()


if __name__ == "__main__":
    main()
