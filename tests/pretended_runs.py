"""What a process may come to with a comparison, without fitting anything; a module, so that a new process finds it."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from comparisons import report
from comparisons.command.processes import Task
from comparisons.results import store
from comparisons.results.result import Verdict
from comparisons.settings import REUSED


def task(name: str, out: Path) -> Task:
    """A comparison as it is handed to a process."""
    return Task(name, out, seed=1, draws=100, chains=2, fresh=False)


def pretend(task: Task, progress: Callable[[str], None]) -> tuple[Verdict, str]:
    """Do what the task's name says."""
    progress("starting")
    if task.name.startswith("raises"):
        raise ZeroDivisionError(f"{task.name} was divided by zero")
    if task.name.startswith("dies"):
        os.kill(os.getpid(), signal.SIGKILL)
    if task.name.startswith("serves"):
        progress(REUSED)
    if task.name.startswith("prints"):
        print("a warning of a library", file=sys.stderr)
    if task.name.startswith("sleeps"):
        Path(task.out, "asleep").write_text(str(os.getpid()))
        time.sleep(60)
    return "agree", f"process {os.getpid()}"


def crash(task: Task, progress: Callable[[str], None]) -> tuple[Verdict, str]:
    """End in an error, whatever the name."""
    raise ZeroDivisionError(f"{task.name} was divided by zero")


def abandoned(task: Task, progress: Callable[[str], None]) -> tuple[Verdict, str]:
    """Tell of a stage, and of another once no one listens."""
    with report.last_word(task.name, task.directory):
        store.begin_run(task.name, task.directory)
        progress("starting")
        while not (task.out / "gone").exists():
            time.sleep(0.01)
        progress("checks")
    return "agree", ""
