"""A study from its plan to its table: replicates spread over a cluster, each row written as soon as it is there.

`dask.distributed` does the spreading: a local cluster with one process a core where no scheduler is named. What was
written before an interruption is not run again. A table belongs to the sources that made it: rows of other sources are
refused, not mixed in.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from comparisons import provenance
from comparisons.study import calibration, faults, replicate, settings
from comparisons.study.calibration import CalibrationRow
from comparisons.study.replicate import Row

if TYPE_CHECKING:
    from distributed import Client

type Study = Literal["clean", "faults", "calibration"]

# Data sets of a setting, of a statistical fault in all its settings together, of a calibration setting of coins.
REPLICATES: dict[str, int] = {"clean": 100, "faults": 60, "calibration": 500}
# A fault whose effect does not depend on chance needs no more, in each setting.
DETERMINISTIC = 5
# Sources of this package that cannot change a row.
COUNTING = ("__init__", "campaign", "figures", "ranks", "rates", "summary")
# A posterior of normals takes three times as long as one of coins.
NORMALS_SHARE = 0.3
# Simulations of each fault that calibration has to find, as a share of the sound ones; of coins a changed prior shows least.
BROKEN_SHARE = 0.3
SHOWS_LEAST = ("coins", "prior-changed")


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
    """What came of a study: rows in the table, and replicates that crashed with their errors."""

    path: Path
    rows: int
    crashed: dict[Task, str]


def plan(study: Study, replicates: int, seed: int) -> list[Task]:
    """All replicates of a study, in the order of their seeds: an interruption leaves all settings alike."""
    tasks: list[Task] = []
    if study == "clean":
        tasks += [Task(s.name, seed + j) for s in settings.CLEAN for j in range(replicates)]
    elif study == "faults":
        for planted in faults.ALL:
            share = -(-replicates // len(planted.settings)) if planted.kind == "statistical" else DETERMINISTIC
            tasks += [Task(setting, seed + j, planted.name) for setting in planted.settings for j in range(share)]
    else:
        for name, simulated in calibration.SETTINGS.items():
            number = replicates if simulated.family == "coins" else round(NORMALS_SHARE * replicates)
            for fault in ("", *calibration.FAULTS):
                as_many = not fault or (simulated.family, fault) == SHOWS_LEAST
                count = number if as_many else round(BROKEN_SHARE * number)
                tasks += [Task(name, seed + j, fault) for j in range(count)]
    return sorted(tasks, key=lambda task: task.seed)


def run(
    study: Study,
    out: Path,
    *,
    replicates: int,
    seed: int,
    scheduler: str | None,
    progress: Callable[[int, int], None],
) -> Ended:
    """Run what is missing of a study and append it to ``out/<study>.csv``.

    Parameters
    ----------
    replicates : see ``REPLICATES``
    seed : of the first replicate; the others follow
    scheduler : address of a `dask.distributed` scheduler; a cluster of this machine's cores where None
    progress : told how many replicates are done, of how many

    Raises
    ------
    StudyError
        if the table there was made by other sources, or dask.distributed is not installed
    """
    out.mkdir(parents=True, exist_ok=True)
    table = _Table(out / f"{study}.csv", CalibrationRow if study == "calibration" else Row)
    tasks = plan(study, replicates, seed)
    _claim(out / f"{study}.json", table.path, study, replicates, seed)
    done = table.done()
    missing = [task for task in tasks if task not in done]
    progress(len(tasks) - len(missing), len(tasks))
    crashed: dict[Task, str] = {}
    if missing:
        with _cluster(scheduler) as client:
            for task, row, error in _results(client, study, missing):
                if row is None:
                    crashed[task] = error
                else:
                    table.append(row)
                progress(len(tasks) - len(missing) + len(table.appended) + len(crashed), len(tasks))
    return Ended(table.path, len(done) + len(table.appended), crashed)


def _results(client: Client, study: Study, tasks: Sequence[Task]) -> Iterator[tuple[Task, Any, str]]:
    """Rows as they come; a replicate that raised comes with its error in place of a row."""
    from distributed import as_completed

    work = calibration.calibrated if study == "calibration" else replicate.judged
    futures = {client.submit(work, t.setting, t.seed, t.fault, pure=False, retries=1): t for t in tasks}
    for future in as_completed(list(futures)):
        task = futures.pop(future)
        if future.status == "finished":
            yield task, future.result(), ""
        else:
            error = future.exception()
            yield task, None, f"{type(error).__name__}: {error}"
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
    from comparisons.processes import SINGLE_THREADED

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
        self.appended: list[Any] = []

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
        self.appended.append(row)


def _simulating() -> str:
    """Digest of what is simulated and broken: the sources of the studies but for those that only count and show."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        if path.stem not in COUNTING:
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def _claim(path: Path, table: Path, study: Study, replicates: int, seed: int) -> None:
    """Write down what makes the table, or refuse to go on with one that other sources made."""
    key = provenance.key(f"study {study}", _simulating(), {})
    made = {
        "command": f"comparisons study {study} --replicates {replicates} --seed {seed}",
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
