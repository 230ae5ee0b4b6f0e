"""What a user would pick instead, each ready to make one EM iteration from a workload's start and say how long it took."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.workloads import Workload
from models import ItemResponses, LatentClassParameters
from models.inputs import Floats


class Missing(Exception):
    """A peer is not installed, or has no such mixture; the text says which."""


@dataclass(frozen=True)
class Peer:
    """A peer with a workload's data and start: ``step`` makes one iteration and returns its seconds of processor time."""

    name: str
    version: str
    step: Callable[[], float]


def seconds(run: Callable[[], Any]) -> float:
    """Processor time of this process."""
    began = time.process_time()
    run()
    return time.process_time() - began


def _form(workload: Workload) -> tuple[str, Floats]:
    """What scikit-learn and pomegranate call the form, and the start's covariances in it."""
    covariances = workload.start.covariances
    if workload.covariance == "full":
        return "full", covariances.copy()
    return "diag", np.diagonal(covariances, axis1=1, axis2=2).copy()


def scikit_learn_steps(workload: Workload) -> Callable[[int], float]:
    """Make so many iterations of scikit-learn from the start; returns the log-likelihood per row before the last."""
    from sklearn.mixture import GaussianMixture
    from sklearn.mixture._gaussian_mixture import _compute_precision_cholesky

    kind, covariances = _form(workload)
    start, y = workload.start, np.ascontiguousarray(workload.mixture.points)
    model = GaussianMixture(workload.k, covariance_type=kind, reg_covar=0)

    def steps(number: int) -> float:
        model.weights_, model.means_, model.covariances_ = start.weights, start.means, covariances
        model.precisions_cholesky_ = _compute_precision_cholesky(covariances, kind)
        value = np.nan
        for _ in range(number):
            value, log_responsibilities = model._e_step(y)
            model._m_step(y, log_responsibilities)
        return float(value)

    return steps


@contextmanager
def scikit_learn(workload: Workload) -> Iterator[Peer]:
    if find_spec("sklearn") is None:
        raise Missing("scikit-learn is not installed")
    steps = scikit_learn_steps(workload)
    yield Peer("scikit-learn", version("scikit-learn"), lambda: seconds(lambda: steps(1)))


@contextmanager
def stepmix(items: ItemResponses, start: LatentClassParameters) -> Iterator[Peer]:
    if find_spec("stepmix") is None:
        raise Missing("StepMix is not installed; pip install stepmix")
    from sklearn.exceptions import ConvergenceWarning
    from stepmix.stepmix import StepMix

    y = items.columns
    model = StepMix(len(start.weights), measurement="categorical", max_iter=1, n_init=1, progress_bar=0)
    with warnings.catch_warnings():
        # Made for its own sake alone: what a model has before the first step.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(y)

    def step() -> float:
        model.weights_ = start.weights
        model._mm.parameters["pis"] = start.item_probabilities.reshape(len(start.weights), -1)

        def once() -> None:
            _, log_responsibilities = model._e_step(y)
            model._m_step(y, np.exp(log_responsibilities))

        return seconds(once)

    yield Peer("StepMix", version("stepmix"), step)


@contextmanager
def of_r(package: str, debian: str, script: str, model: str, numbers: Sequence[Any]) -> Iterator[Peer]:
    """A process of R that holds numbers, one array after the other, and makes an iteration for every line it is sent."""
    if shutil.which("Rscript") is None:
        raise Missing(f"{package} is not installed; apt-get install r-base-core {debian}")
    with tempfile.TemporaryDirectory() as place:
        data = Path(place) / "data"
        data.write_bytes(b"".join(np.ascontiguousarray(part, dtype=float).tobytes() for part in numbers))
        command = ["Rscript", str(Path(__file__).with_name(script)), package, model, str(data)]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            sent, answers, errors = process.stdin, process.stdout, process.stderr
            assert sent is not None
            assert answers is not None
            assert errors is not None
            number = answers.readline().strip()
            if not number:
                raise Missing(f"{package} does not start: {errors.read().strip()}")

            def step() -> float:
                sent.write("\n")
                sent.flush()
                return float(answers.readline())

            yield Peer(package, number, step)
            sent.close()


def _numbers(workload: Workload) -> list[Any]:
    y, start = np.asarray(workload.mixture.points), workload.start
    return [[len(y), y.shape[1], workload.k], y.T, start.weights, start.means, start.covariances]


@contextmanager
def mclust(workload: Workload) -> Iterator[Peer]:
    full = "V" if workload.mixture.d == 1 else "VVV"
    model = {"full": full, "diagonal": "VVI"}[workload.covariance]
    with of_r("mclust", "r-cran-mclust", "peers.R", model, _numbers(workload)) as peer:
        yield peer


@contextmanager
def mixtools(workload: Workload) -> Iterator[Peer]:
    if workload.mixture.d > 1:
        raise Missing("mixtools takes minutes for an iteration of so many rows of several features; one feature only")
    with of_r("mixtools", "r-cran-mixtools", "peers.R", "", _numbers(workload)) as peer:
        yield peer


@contextmanager
def pomegranate(workload: Workload) -> Iterator[Peer]:
    if find_spec("pomegranate") is None:
        raise Missing("pomegranate is not installed; pip install pomegranate, which brings PyTorch")
    import torch
    from pomegranate.distributions import Normal
    from pomegranate.gmm import GeneralMixtureModel

    torch.set_num_threads(1)
    kind, covariances = _form(workload)
    start, y = workload.start, torch.tensor(np.asarray(workload.mixture.points))

    def step() -> float:
        parts = [
            Normal(torch.tensor(mean), torch.tensor(covariance), covariance_type=kind)
            for mean, covariance in zip(start.means, covariances, strict=True)
        ]
        model = GeneralMixtureModel(parts, priors=torch.tensor(start.weights))

        def once() -> None:
            model.summarize(y)
            model.from_summaries()

        return seconds(once)

    yield Peer("pomegranate", version("pomegranate"), step)


@contextmanager
def spark(workload: Workload) -> Iterator[Peer]:
    if find_spec("pyspark") is None or shutil.which("java") is None:
        raise Missing("Spark is not installed; pip install pyspark, and Java 17")
    if workload.covariance != "full":
        raise Missing("Spark's mixtures have full covariances only")
    import pandas as pd
    import psutil
    from pyspark.ml.clustering import GaussianMixture
    from pyspark.ml.feature import VectorAssembler
    from pyspark.sql import SparkSession

    settings = {
        "spark.driver.memory": "8g",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.log.level": "ERROR",
        "spark.sql.execution.arrow.pyspark.enabled": "true",
    }
    with SparkSession.builder.master("local[1]").config(map=settings).getOrCreate() as session:
        machine = psutil.Process(session.sparkContext._gateway.proc.pid)
        y = np.asarray(workload.mixture.points)
        columns = [f"y{j}" for j in range(y.shape[1])]
        assembled = VectorAssembler(inputCols=columns, outputCol="features")
        rows = assembled.transform(session.createDataFrame(pd.DataFrame(y, columns=columns))).select("features").cache()
        rows.count()

        def run(iterations: int) -> float:
            # It takes no start but a seed; a step costs the same from any.
            used = machine.cpu_times()
            GaussianMixture(k=workload.k, maxIter=iterations, tol=0.0, seed=1).fit(rows)
            now = machine.cpu_times()
            return float(now.user + now.system - used.user - used.system)

        run(5)  # Java compiles
        yield Peer("spark", version("pyspark"), lambda: (run(5) - run(1)) / 4)


PEERS = {
    "scikit-learn": scikit_learn,
    "mclust": mclust,
    "mixtools": mixtools,
    "pomegranate": pomegranate,
    "spark": spark,
}
