"""Speed of EM of families other than normals, beside what a user would pick instead: ``python -m benchmarks.families``.

    python -m benchmarks.families [--case poissons ...] [--turns 3] [--page docs/performance.md]

100,000 rows of two components, from the same start. Times are of the processor, one BLAS thread and one of our own; ours and
every peer's take turns, and ratios are medians over the turns. A step is one of E and M. To the optimum is EM, accelerated as
in a fit, until within 1e-6 nats a row of it; a peer's is its step times the plain steps that come as near, which favours a
peer whose M-step is no maximum. A whole fit is the call from the rows as given: checks, distinct rows, EM until it has converged
to the last digit, standard errors; the peers' times to the optimum are held against that too. A peer that takes more than `LONG`
seconds for a step is asked once. A new family is an entry of `CASES`, and a line of families.R for each package of R that has
it. StepMix comes by ``pip install stepmix``, the others from Debian.
"""

from __future__ import annotations

import os

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"

import argparse
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

import em
from benchmarks.peers import Missing, Peer, of_r, seconds, stepmix
from benchmarks.report import table, write_between
from em.ascent.climb import climb
from em.elementwise import ElementwiseMixture
from em.exponentials import WaitMixture
from em.gammas import GammaMixture
from em.latent_classes import LatentClassMixture
from em.negative_binomials import NegativeBinomialMixture
from em.poissons import PoissonMixture
from em.regressions.mixture import RegressionMixture
from models import (
    EventCounts,
    ExponentialParameters,
    GammaParameters,
    ItemResponses,
    LatentClassParameters,
    NegativeBinomialParameters,
    PoissonParameters,
    PositiveTimes,
    RegressionParameters,
    RegressionRows,
    WaitingTimes,
)
from models.mixtures import MixtureWeights

ROWS = 100_000
# Nats a row from the optimum at which plain steps have arrived, and steps after which they are ended.
TARGET, MOST_STEPS = 1e-6, 5000
# Seconds of a step of a peer that is timed but once, and seconds that a measured stretch of ours takes at least.
LONG, STRETCH = 5, 0.05
DEBIAN = {"flexmix": "r-cran-flexmix", "mixtools": "r-cran-mixtools"}


@dataclass(frozen=True)
class Case:
    """Rows of one family with a start; ``peers`` has what families.R calls the model, by package, and "" for StepMix."""

    name: str
    data: Any
    start: Any
    fit: Callable[..., em.Fit[Any, Any]]
    mixture: type[ElementwiseMixture]
    peers: dict[str, str]


def _cases() -> dict[str, Callable[[], Case]]:
    random = np.random.default_rng(15)
    first = random.random(ROWS) < 0.4
    exposure = random.uniform(0.5, 2, ROWS)
    counts, exposed = random.poisson(np.where(first, 3, 8)), random.poisson(np.where(first, 3, 8) * exposure)
    waits = random.exponential(np.where(first, 1, 5))
    times = random.gamma(np.where(first, 3, 9), np.where(first, 0.5, 1))
    limits = random.uniform(0, 20, ROWS)

    def cut(noun: Any, whole: Any) -> Any:
        return noun(np.minimum(whole, limits), whole > limits)

    rates, shorter = PoissonParameters([0.5, 0.5], [2, 9]), ExponentialParameters([0.5, 0.5], [0.3, 0.8])
    shapes = GammaParameters([0.5, 0.5], [2, 6], [1, 1])
    negative = NegativeBinomialParameters([0.5, 0.5], [2, 9], [0.5, 0.5])
    varied = random.negative_binomial(4, 4 / (4 + np.where(first, 3, 20)))
    x = random.uniform(0, 3, ROWS)
    responses = np.where(first, 1 + x, 4 - x) + random.normal(0, np.where(first, 0.5, 1))
    lines = RegressionParameters([0.5, 0.5], [[0, 0.5], [3, -0.5]], [1, 1])
    both = ("flexmix", "mixtools")

    def poissons(name: str, data: EventCounts, peers: dict[str, str]) -> Case:
        return Case(name, data, rates, em.poisson_mixture, PoissonMixture, peers)

    def exponentials(name: str, data: WaitingTimes, *packages: str) -> Case:
        return Case(name, data, shorter, em.exponential_mixture, WaitMixture, dict.fromkeys(packages, "exponentials"))

    def gammas(name: str, data: PositiveTimes, *packages: str) -> Case:
        return Case(name, data, shapes, em.gamma_mixture, GammaMixture, dict.fromkeys(packages, "gammas"))

    def latent_classes(name: str, items: int, categories: int) -> Case:
        falling = np.arange(categories, 0, -1) / np.arange(1, categories + 1).sum()
        of_classes = np.array([[falling] * items, [falling[::-1]] * items])
        drawn = LatentClassParameters([0.4, 0.6], of_classes).simulate(np.where(first, 0, 1), random)
        start = LatentClassParameters([0.5, 0.5], 0.5 * of_classes + 0.5 / categories)
        return Case(name, ItemResponses(drawn), start, em.latent_class_mixture, LatentClassMixture, {"StepMix": ""})

    return {
        "poissons": lambda: poissons("poissons", EventCounts(counts), dict.fromkeys(both, "poissons")),
        "poissons-exposed": lambda: poissons(
            "poissons, exposed", EventCounts(exposed, exposure), {"flexmix": "exposed"}
        ),
        "exponentials": lambda: exponentials("exponentials", WaitingTimes(waits), *both),
        "exponentials-censored": lambda: exponentials("exponentials, censored", cut(WaitingTimes, waits), "mixtools"),
        "gammas": lambda: gammas("gammas", PositiveTimes(times), *both),
        "gammas-censored": lambda: gammas("gammas, censored", cut(PositiveTimes, times)),
        "latent-classes": lambda: latent_classes("latent classes, 10 items of 4 categories", 10, 4),
        "latent-classes-few": lambda: latent_classes("latent classes, 8 items of 2 categories", 8, 2),
        "regressions": lambda: Case(
            "regressions",
            RegressionRows(responses, x),
            lines,
            em.regression_mixture,
            RegressionMixture,
            dict.fromkeys(both, "regressions"),
        ),
        "negative-binomials": lambda: Case(
            "negative binomials",
            EventCounts(varied),
            negative,
            em.negative_binomial_mixture,
            NegativeBinomialMixture,
            {},
        ),
    }


CASES = _cases()


def _for_r(case: Case) -> list[Any]:
    """The rows as given, responsibilities at the start, and the start, as families.R reads them."""
    given, start = case.data.columns.T, case.start
    # A column that says nothing is left out, as where no wait is censored and every exposure is 1.
    told = [given[0], *(column for column in given[1:] if np.ptp(column) > 0)]
    of_rows = case.mixture(case.data, MixtureWeights.of("free", start.n_components), None)
    joint = of_rows.of_rows(case.data, start, lambda joint, labels: joint, start.n_components)
    shares = np.exp(joint - np.logaddexp.reduce(joint, axis=1, keepdims=True))
    k = start.n_components
    own = np.column_stack([getattr(start, part.name).reshape(k, -1) for part in fields(start)[1:]])
    sizes = [len(given[0]), k, len(told), own.shape[1]]
    return [sizes, *told, shares.T, start.weights, own.T]


def _peer(case: Case, package: str) -> AbstractContextManager[Peer]:
    if package == "StepMix":
        return stepmix(case.data, case.start)
    return of_r(package, DEBIAN[package], "families.R", case.peers[package], _for_r(case))


def steps_to(mixture: Any, start: Any, target: float) -> int:
    """Steps until the log-likelihood is ``target``, extrapolated as in a fit."""
    return int(np.argmax(np.array(climb(mixture, start, "auto").trace) >= target))


def plain_steps(mixture: Any, start: Any, target: float) -> int | None:
    """Plain steps until the log-likelihood is ``target``; None where so many do not get there."""
    for number in range(MOST_STEPS):
        statistics = mixture.e_step(start)
        if statistics.log_likelihood >= target:
            return number
        start = mixture.m_step(statistics)
    return None


def measured(case: Case, turns: int) -> list[str]:
    """A line of the table: our step, our whole fit, and each peer beside."""
    mixture: Any = case.mixture(case.data, MixtureWeights.of("free", case.start.n_components), None)
    start, fits = mixture.from_published(case.start), list[Any]()

    def step() -> Any:
        return mixture.m_step(mixture.e_step(start))

    def whole() -> None:
        fits[:] = [case.fit(case.data, n_components=case.start.n_components, start=case.start)]

    step()
    times = max(1, int(STRETCH / seconds(step)))
    whole()
    target = fits[0].log_likelihood - mixture.likelihood_offset - TARGET * mixture.n
    few, many = steps_to(mixture, start, target), plain_steps(mixture, start, target)

    def there() -> None:
        climb(mixture, start, "auto", few)

    told, taken, missing = [], [], []
    with ExitStack() as stack:
        peers = []
        for package in case.peers:
            try:
                peers.append(stack.enter_context(_peer(case, package)))
            except Missing as reason:
                missing.append(str(reason))
        last = [0.0] * len(peers)
        for _ in range(turns):
            ours = seconds(lambda: [step() for _ in range(times)]) / times, seconds(there), seconds(whole)
            last = [before if before > LONG else peer.step() for before, peer in zip(last, peers, strict=True)]
            taken.append([*ours, *last])
    own, arrived, fitted, *others = np.median(taken, axis=0)
    ratios = np.median(np.array(taken)[:, 3:] / np.array(taken)[:, :1], axis=0)
    for peer, theirs, ratio in zip(peers, others, ratios, strict=True):
        to_optimum, all_steps = "–", theirs * (many or 0)
        if many is not None:
            to_optimum = f"{all_steps:.3g} s, {all_steps / arrived:.0f}×; {all_steps / fitted:.0f}× a whole fit"
        told.append(f"{peer.name} {peer.version}: {1e3 * theirs:.3g} ms, {ratio:.0f}×; {to_optimum}")
    beside = "; ".join(told + missing) if told or missing else "none of these has it"
    ours_told = [f"{1e3 * own:.3g}", f"{arrived:.3g}", f"{fitted:.3g}"]
    return [case.name, f"{len(mixture.counts):,}", *ours_told, str(many or "–"), beside]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", nargs="*", default=list(CASES), choices=list(CASES))
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--page", type=Path, help="whose part between the marks of families is written")
    options = parser.parse_args()
    head = [
        "family",
        "distinct rows",
        "step, ms",
        "optimum, s",
        "whole fit, s",
        "plain steps",
        "peers: step; to the optimum",
    ]
    lines: list[list[str]] = []
    for name in options.case:
        print(f"{name} ...", file=sys.stderr, flush=True)
        lines.append(measured(CASES[name](), options.turns))
        text = (
            f"{table(head, lines)}\n\nMeasured by `python -m benchmarks.families {' '.join(sys.argv[1:])}`, {ROWS:,} rows of "
            f"two components, turns: {options.turns}; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors."
        )
        # Some cases take minutes, so each is kept as it comes.
        if options.page is not None:
            write_between(options.page, "families", text)
    print(text)


if __name__ == "__main__":
    main()
