"""A study from its plan to its table: replicates spread over a cluster, each row written as soon as it is there.

`dask.distributed` does the spreading: a local cluster with one process a core where no scheduler is named. A process compiles
each PyMC graph that it meets, for as long as ten replicates take, so replicates of one graph go to one process as far as they
can. What was written before an interruption is not run again. A table belongs to the sources that made it: rows of other
sources are refused, not mixed in. A replicate that crashes has a row with its error.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from traceback import format_exception_only
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from comparisons import families
from comparisons.results import provenance
from comparisons.settings import SINGLE_THREADED
from comparisons.study import calibration, faults, replicate, settings
from comparisons.study.audits import row
from comparisons.study.audits.row import AuditRow
from comparisons.study.calibration import CalibrationRow
from comparisons.study.replicate import Row
from comparisons.study.setting import Setting, simulate

if TYPE_CHECKING:
    from distributed import Client

type Study = Literal["clean", "faults", "curves", "calibration", "audits"]

# Data sets of a setting whose share is all, of a statistical fault in all its settings together, of each size of a fault on a
# detection curve in each setting, of a calibration setting of coins; of audits of right steps in all families together.
REPLICATES: dict[str, int] = {"clean": 100, "faults": 60, "curves": 20, "calibration": 500, "audits": 1000}
# A fault whose effect does not depend on chance needs no more, in each setting.
DETERMINISTIC = 3
# What a row of a study is where it is no replicate of the pipeline.
KINDS: dict[str, type[Any]] = {"calibration": CalibrationRow, "audits": AuditRow}
# Seconds of one core that a replicate and the compilation of a graph took on the machine of the published studies.
SECONDS: dict[str, float] = {"clean": 4.0, "faults": 3.5, "curves": 2.5, "calibration": 12.0, "audits": 2.5}
COMPILING = 40.0
# Sources of this package that cannot change a row.
COUNTING = ("__init__", "campaign", "figures", "ranks", "rates", "summary", "table")
# Simulations of each fault that calibration has to find, as a share of the sound ones, but of those that show little.
BROKEN_SHARE = 0.3


class StudyError(RuntimeError):
    """A study cannot be run or resumed as asked; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Task:
    """One replicate: a setting, a seed, and the fault planted in it if any."""

    setting: str
    seed: int
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Ended:
    """What came of a study: rows in the table, and replicates that crashed now, with their errors."""

    rows: int
    crashed: dict[Task, str]


def plan(study: Study, replicates: int, seed: int, family: str | None = None) -> list[Task]:
    """All replicates of a study, of one family or of all, by their seeds: an interruption leaves all settings alike."""
    tasks: list[Task] = []
    if study == "clean":
        tasks += [Task(s.name, seed + j) for s in settings.CLEAN for j in range(max(1, round(s.share * replicates)))]
    elif study == "faults":
        for planted in faults.ALL:
            share = -(-replicates // len(planted.settings)) if planted.kind == "statistical" else DETERMINISTIC
            tasks += [Task(setting, seed + j, planted.name) for setting in planted.settings for j in range(share)]
    elif study == "curves":
        tasks += [
            Task(setting, seed + j, planted.name)
            for planted in faults.SIZED
            for setting in planted.settings
            for j in range(replicates)
        ]
    elif study == "audits":
        tasks += [Task(name, seed + j, fault) for name, fault, number in row.planned(replicates) for j in range(number)]
    else:
        for name, simulated in settings.CALIBRATION.items():
            part = settings.part_of(families.FAMILIES[simulated.family])
            number = max(1, round(simulated.share * round(part.CALIBRATED * replicates)))
            # A changed prior and a dropped Jacobian are the same in every form.
            for fault in ("", *calibration.FAULTS) if simulated.share == 1 else ("",):
                as_many = not fault or fault in part.SHOW_LITTLE
                count = number if as_many else round(BROKEN_SHARE * number)
                tasks += [Task(name, seed + j, fault) for j in range(count)]
    if study == "audits":
        # Whatever its fault and family, in no order: an interruption leaves all alike.
        np.random.default_rng(seed).shuffle(tasks)
    return sorted((t for t in tasks if family in (None, setting_of(t).family)), key=lambda task: task.seed)


def setting_of(task: Task) -> Setting:
    """The population of a replicate."""
    found: Setting = (settings.SETTINGS | settings.CALIBRATION)[task.setting]
    return found


def graph(task: Task) -> tuple[Any, ...]:
    """What decides which graphs a replicate compiles: those that agree in it are best run by one process."""
    problem = simulate(setting_of(task), task.seed).problem
    fault = faults.FAULTS.get(task.fault)
    own = task.fault if fault is None or fault.own_graph else ""
    return (*problem.structure, own)


def minutes(study: Study, tasks: Sequence[Task], workers: int) -> float:
    """How long a study takes that many idle processes of a machine like that of the published one."""
    graphs = 0 if study == "audits" else len({graph(t) for t in tasks})
    return (len(tasks) * SECONDS[study] + graphs * COMPILING) / workers / 60


def run(
    study: Study,
    out: Path,
    *,
    replicates: int,
    seed: int,
    family: str | None = None,
    scheduler: str | None,
    progress: Callable[[int, int], None],
) -> Ended:
    """Run what is missing of a study and append it to ``out/<family>/<study>.csv``.

    Parameters
    ----------
    replicates : see ``REPLICATES``
    seed : of the first replicate; the others follow
    family : whose populations; all where None
    scheduler : address of a `dask.distributed` scheduler; a cluster of this machine's cores where None
    progress : told how many replicates are done, of how many

    Raises
    ------
    StudyError
        if a table there was made by other sources, or dask.distributed is not installed
    """
    tasks = plan(study, replicates, seed, family)
    tables = {
        name: _Table(out / name / f"{study}.csv", KINDS.get(study, Row))
        for name in dict.fromkeys(setting_of(task).family for task in tasks)
    }
    command = f"comparisons study {study} --replicates {replicates} --seed {seed}" + (
        f" --family {family}" if family else ""
    )
    for table in tables.values():
        _claim(table.path, study, command)
    done = {task for table in tables.values() for task in table.done()}
    missing = [task for task in tasks if task not in done]
    progress(len(tasks) - len(missing), len(tasks))
    commit = provenance.git_commit() or ""
    crashed: dict[Task, str] = {}
    done_now = 0
    if missing:
        with _cluster(scheduler) as client:
            workers = len(client.scheduler_info(n_workers=-1)["workers"])
            told = minutes(study, missing, max(workers, 1))
            print(f"{len(missing)} replicates, about {told:.0f} minutes on {workers} idle cores", file=sys.stderr)
            for task, made, error in _results(client, study, missing):
                if made is None:
                    crashed[task] = error
                    if study not in KINDS:
                        made = replicate.crashed(task.setting, task.seed, task.fault, error)
                if made is not None:
                    tables[made.family].append(made if study == "calibration" else replace(made, commit=commit))
                done_now += 1
                progress(len(tasks) - len(missing) + done_now, len(tasks))
    return Ended(sum(len(table.done()) for table in tables.values()), crashed)


def _results(client: Client, study: Study, tasks: Sequence[Task]) -> Iterator[tuple[Task, Any, str]]:
    """Rows as they come; a replicate that raised comes with its error in place of a row."""
    from distributed import as_completed

    work = {"calibration": calibration.calibrated, "audits": row.audit_of}.get(study, replicate.judged)
    queues: dict[tuple[Any, ...], list[Task]] = {}
    for task in reversed(tasks):
        # Audits compile each program anew.
        queues.setdefault(() if study == "audits" else graph(task), []).append(task)
    at_work: dict[str, tuple[Any, ...]] = {}
    running: dict[Any, tuple[str, Task]] = {}

    def submitted(worker: str) -> Any:
        """The worker's next replicate: of the graph it has compiled, else of one that nobody has, else of the longest queue."""
        left = [key for key, queue in queues.items() if queue]
        if not left:
            return None
        free = [key for key in left if key not in at_work.values()]
        key = at_work.get(worker)
        if key not in left:
            key = max(free or left, key=lambda each: len(queues[each]))
        assert key is not None
        at_work[worker] = key
        task = queues[key].pop()
        future = client.submit(
            work, task.setting, task.seed, task.fault, pure=False, retries=1, workers=[worker], allow_other_workers=True
        )
        running[future] = (worker, task)
        return future

    first = [submitted(worker) for worker in client.scheduler_info(n_workers=-1)["workers"]]
    completed = as_completed([future for future in first if future is not None])
    for future in completed:
        worker, task = running.pop(future)
        following = submitted(worker)
        if following is not None:
            completed.add(following)
        if future.status == "finished":
            yield task, future.result(), ""
        else:
            # Not every error says what it says after its way through another process.
            yield task, None, format_exception_only(future.exception())[-1].strip()
        future.release()


@contextmanager
def _cluster(scheduler: str | None) -> Iterator[Client]:
    try:
        from distributed import Client, LocalCluster
    except ImportError as error:
        raise StudyError(
            "studies need dask.distributed; install it with: pip install em-comparisons[studies]"
        ) from error
    if scheduler is not None:
        with Client(scheduler) as client:
            yield client
        return
    os.environ.update(dict.fromkeys(SINGLE_THREADED, "1"))
    workers = os.process_cpu_count() if hasattr(os, "process_cpu_count") else os.cpu_count()
    with (
        LocalCluster(
            n_workers=workers, threads_per_worker=1, dashboard_address=":0", memory_limit=None, silence_logs="ERROR"
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


class _Table:
    """A CSV file of rows, appended to one by one."""

    def __init__(self, path: Path, kind: type[Any]) -> None:
        self.path, self._kind = path, kind
        self._columns = [f.name for f in fields(kind)]

    def done(self) -> set[Task]:
        """Replicates whose rows are there already."""
        if not self.path.exists():
            return set()
        with self.path.open(newline="", encoding="utf-8") as file:
            return {Task(row["setting"], int(row["seed"]), row["fault"]) for row in csv.DictReader(file)}

    def append(self, row: Any) -> None:
        """Write one row, at once, so that an interruption loses nothing."""
        new = not self.path.exists()
        with self.path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            if new:
                writer.writerow(self._columns)
            writer.writerow([getattr(row, name) for name in self._columns])


def _simulating(study: Study) -> str:
    """Digest of what is simulated and broken: the sources of the studies but for those that only count and show."""
    digest, folder = hashlib.sha256(), Path(__file__).parent
    for path in sorted([*folder.glob("*.py"), *(folder.glob("audits/*.py") if study == "audits" else ())]):
        if path.stem not in COUNTING:
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def _claim(table: Path, study: Study, command: str) -> None:
    """Write down what makes the table, or refuse to go on with one that other sources made."""
    path = table.with_suffix(".json")
    path.parent.mkdir(parents=True, exist_ok=True)
    key = provenance.key(f"study {study}", _simulating(study), {})
    made = {
        "command": command,
        "git_commit": provenance.git_commit(),
        "versions": provenance.versions(),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "key": key,
    }
    if path.exists() and table.exists():
        before = json.loads(path.read_text(encoding="utf-8"))
        if before["key"] != key:
            raise StudyError(
                f"{table} was made by other sources or library versions (commit {before['git_commit']}), whose rows cannot be "
                "mixed with new ones; give another --out, or remove it to begin anew"
            )
        made["started"] = before["started"]
    path.write_text(json.dumps(made, indent=2) + "\n", encoding="utf-8")
