"""A fused likelihood beside PyMC's own distributions: ``python -m benchmarks.fused [gradient | draws | million]``.

``gradient``: processor time of one log posterior with its gradient, both as machine code, in turns in one process. ``draws``:
effective draws for a second of processor time, compiling left out, on 5,000 rows. ``million``: the posterior of a million rows
of two features, five components and full covariances, with wall time and memory beyond the data.
"""

from __future__ import annotations

import argparse
import resource
import time
from typing import Any

import numpy as np

import models
from models import LogPosterior
from models.inputs import Floats

SHAPES = (1, 3), (2, 5)
ROWS = 1_000, 5_000, 100_000
TURNS, CALLS = 5, 3
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


def sampled(model: Any, draws: int, tune: int) -> tuple[float, float, float]:
    """Effective draws, processor and wall seconds without compiling.

    Of each chain by itself, as chains that start apart may stay in modes of their own, and of the slowest parameter.
    """
    import arviz
    import nutpie

    compiled = nutpie.compile_pymc_model(model, var_names=[v.name for v in model.free_RVs])
    processor, wall = time.process_time(), time.perf_counter()
    tree = nutpie.sample(compiled, draws=draws, tune=tune, chains=4, cores=2, seed=1, progress_bar=False)
    processor, wall = time.process_time() - processor, time.perf_counter() - wall
    effective = 0.0
    for chain in range(4):
        of_chain = arviz.ess(tree["posterior"].to_dataset().isel(chain=[chain]))
        effective += min(float(values.min()) for values in of_chain.data_vars.values())
    return effective, processor, wall


def draws() -> None:
    y = normals(5_000, 1, 3)
    rates = []
    for each in LIKELIHOODS:
        effective, processor, _ = sampled(models.gaussian_mixture(y, 3, likelihood=each), 1000, 1000)
        rates.append(effective / processor)
        print(f"{each}: {effective:.0f} effective draws in {processor:.1f} s of processor time", flush=True)
    print(f"{rates[1] / rates[0]:.1f}×")


def million() -> None:
    model = models.gaussian_mixture(normals(1_000_000, 2, 5), 5, likelihood="fused")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    effective, processor, wall = sampled(model, 200, 300)
    more = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(f"{effective:.0f} effective draws in {wall:.0f} s, {processor:.0f} s of processor time; {more:.0f} MB more")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("gradient", "draws", "million"), nargs="?", default="gradient")
    {"gradient": gradient, "draws": draws, "million": million}[parser.parse_args().what]()


if __name__ == "__main__":
    main()
