"""Comparisons run side by side, each process taking one after another.

A process serves comparisons that it runs later, where a new one for each would import PyMC again. Processes take comparisons of
different graphs where they can, so that one of them compiles a graph and the others find it on disk. One that dies takes only its
own comparison with it. What a comparison prints goes to ``DIR/<name>/run.log``, which is kept where something was printed.
"""

from __future__ import annotations

import faulthandler
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from types import FrameType
from typing import Any

from comparisons import report
from comparisons.results.files import directory_name
from comparisons.results.result import Verdict
from comparisons.settings import REUSED, SINGLE_THREADED

LOG = "run.log"
# glibc gives the memory of every large array back and asks for it anew, a twentieth of a comparison's time, unless these bytes
# are larger than most arrays; other systems do not look at them.
MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(2**22), "MALLOC_TRIM_THRESHOLD_": str(2**26)}
# Seconds that a process gets to end before it is killed.
PATIENCE = 5.0


@dataclass(frozen=True, slots=True)
class Task:
    """One comparison to run, with the arguments of `comparisons.run`.

    ``own`` are options of `comparisons.compare` where it is of own data, and ``command`` what asks for them.
    ``structure`` is what decides the PyMC graph: comparisons that agree in it share what is compiled.
    """

    name: str
    out: Path
    seed: int
    draws: int
    chains: int
    fresh: bool
    structure: tuple[Any, ...] = ()
    own: dict[str, Any] | None = None
    command: str = ""

    @property
    def directory(self) -> Path:
        """Where its result goes."""
        return self.out / directory_name(self.name)


@dataclass(frozen=True, slots=True)
class Stage:
    """A comparison has begun with this."""

    name: str
    stage: str


@dataclass(frozen=True, slots=True)
class Finished:
    """A comparison has reached its verdict, and its result and report are written; ``reused`` where they were there."""

    name: str
    verdict: Verdict
    summary: str
    seconds: float
    reused: bool = False


@dataclass(frozen=True, slots=True)
class Crashed:
    """A comparison ended without a verdict: the last line it printed, and where the rest of it is."""

    name: str
    reason: str
    log: Path
    seconds: float


type Outcome = Finished | Crashed
type Run = Callable[[Task, Callable[[str], None]], tuple[Verdict, str]]


@dataclass(slots=True)
class _Worker:
    process: SpawnProcess
    connection: Connection[Any, Any]
    task: Task
    since: float

    def take(self, task: Task) -> None:
        """Send the next task."""
        self.task, self.since = task, time.monotonic()
        self.connection.send(task)

    def end(self) -> None:
        """Let the process go: it ends when there is no one left to ask it."""
        self.connection.close()
        self.process.join(PATIENCE)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


def run_all(
    tasks: Sequence[Task], jobs: int, tell: Callable[[Stage | Outcome], None], run: Run | None = None
) -> list[Outcome]:
    """Run the comparisons in so many processes; tell of every stage and outcome; return outcomes in the order of tasks.

    An interruption ends the processes before it goes on. ``run`` is what each process does with a task: by default
    the comparison and its report.
    """
    waiting = deque(tasks)
    outcomes: dict[str, Outcome] = {}
    workers: list[_Worker] = []
    with _ended_by_termination():
        try:
            while waiting or workers:
                while waiting and len(workers) < jobs:
                    workers.append(_start(waiting.popleft(), run or run_task))
                ready = wait([worker.connection for worker in workers])
                for worker in [worker for worker in workers if worker.connection in ready]:
                    message = _receive(worker)
                    tell(message)
                    if isinstance(message, Stage):
                        continue
                    outcomes[message.name] = message
                    if isinstance(message, Finished) and waiting:
                        worker.take(_next(waiting, workers, worker.task.structure))
                    else:
                        workers.remove(worker)
                        worker.end()
        finally:
            for worker in workers:
                worker.process.terminate()
            for worker in workers:
                worker.end()
    return [outcomes[task.name] for task in tasks]


def _next(waiting: deque[Task], workers: Sequence[_Worker], structure: tuple[Any, ...]) -> Task:
    """Take the first task of this structure, else the first of one that no process is at, else the first."""
    busy = {worker.task.structure for worker in workers}
    same = [task for task in waiting if task.structure == structure]
    other = [task for task in waiting if task.structure not in busy]
    task = (same or other or waiting)[0]
    waiting.remove(task)
    return task


def _receive(worker: _Worker) -> Stage | Outcome:
    try:
        message: Stage | Finished = worker.connection.recv()
    except (EOFError, ConnectionResetError):
        worker.process.join(PATIENCE)
        return _crash(worker)
    return message


def _start(task: Task, run: Run) -> _Worker:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    for variable, value in {**dict.fromkeys(SINGLE_THREADED, "1"), **MEMORY}.items():
        os.environ.setdefault(variable, value)
    process = context.Process(target=_serve, args=(theirs, run))
    process.start()
    # So that the connection ends when the process does.
    theirs.close()
    ours.send(task)
    return _Worker(process, ours, task, time.monotonic())


def _crash(worker: _Worker) -> Crashed:
    log = worker.task.directory / LOG
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()] if log.exists() else []
    code = worker.process.exitcode
    if code is not None and code < 0:
        reason = f"its process was ended by {signal.Signals(-code).name}"
    else:
        reason = lines[-1].strip() if lines else f"its process ended with exit status {code}"
    report.mention_failure(worker.task.name, worker.task.directory, reason)
    return Crashed(worker.task.name, reason, log, time.monotonic() - worker.since)


@contextmanager
def _ended_by_termination() -> Iterator[None]:
    """Make a request to terminate leave by the same way as an interruption, past every ``finally``."""

    def leave(number: int, frame: FrameType | None) -> None:
        sys.exit(128 + number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _serve(connection: Connection[Any, Any], run: Run) -> None:
    """Run the tasks that come, in the process of its own; any error ends it, and so is seen at the other end."""
    # An interruption reaches the whole group of processes; the one that started this ends it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        try:
            task: Task = connection.recv()
        except EOFError:
            # At once: to take apart all that was imported takes a second of processor time, and all files are written.
            os._exit(0)
        log = task.directory / LOG
        log.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        os.close(descriptor)
        faulthandler.enable()
        began = time.monotonic()
        stages: list[str] = []

        def tell(stage: str, name: str = task.name, stages: list[str] = stages) -> None:
            stages.append(stage)
            try:
                connection.send(Stage(name, stage))
            except (BrokenPipeError, ConnectionResetError):
                # Who asked was killed. Nothing is wrong with the run, which stays on record as one that did not end.
                os._exit(1)

        verdict, summary = run(task, tell)
        sys.stdout.flush()
        sys.stderr.flush()
        if log.exists() and not log.stat().st_size:
            log.unlink()
        connection.send(Finished(task.name, verdict, summary, time.monotonic() - began, REUSED in stages))


def run_task(task: Task, progress: Callable[[str], None]) -> tuple[Verdict, str]:
    """Run one comparison, write its result and report, and return its verdict and summary."""
    import comparisons

    progress("starting")
    settings: dict[str, Any] = {
        "out": task.out, "seed": task.seed, "draws": task.draws, "chains": task.chains, "fresh": task.fresh
    }  # fmt: skip
    if task.own is None:
        result = comparisons.run(task.name, **settings, progress=progress)
    else:
        from comparisons.pairs import own as own_pair
        from comparisons.pairs import own_chains

        told = task.own.get("data")
        pair = isinstance(told, str) and own_pair.is_pair(told)
        asked = own_pair.declared(told) if pair else own_chains.declared(**task.own)
        result = comparisons.compare_declared(asked, **settings, progress=progress, command=task.command)
    return result.verdict, result.summary
