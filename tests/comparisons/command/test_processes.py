"""Comparisons run in processes of their own: one that dies takes no other with it, and none outlives an interrupt."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections import deque
from pathlib import Path

import pytest

from comparisons.command.processes import Crashed, Finished, Outcome, Stage, Task, _next, _serve, run_all
from comparisons.command.progress import line
from comparisons.results import store
from tests.pretended_runs import abandoned, pretend, task


def test_a_comparison_that_dies_takes_no_other_with_it(tmp_path: Path) -> None:
    names = ["raises", "one", "dies", "two", "prints"]
    told: list[Stage | Outcome] = []
    outcomes = run_all([task(name, tmp_path) for name in names], 2, told.append, pretend)
    assert [each.name for each in outcomes] == names
    raised, one, died, two, printed = outcomes
    assert isinstance(raised, Crashed)
    assert raised.reason == "ZeroDivisionError: raises was divided by zero"
    assert "Traceback" in raised.log.read_text()
    assert isinstance(died, Crashed)
    assert died.reason == "its process was ended by SIGKILL"
    assert all(isinstance(each, Finished) for each in (one, two, printed))
    assert not (tmp_path / "one" / "run.log").exists()
    assert (tmp_path / "prints" / "run.log").read_text() == "a warning of a library\n"
    assert [event.stage for event in told if isinstance(event, Stage)] == ["starting"] * 5


def test_a_stored_result_that_serves_is_told_as_such(tmp_path: Path) -> None:
    serves, one = run_all([task(name, tmp_path) for name in ("serves", "one")], 1, lambda event: None, pretend)
    assert line(serves) == "serves: agree (stored result, nothing has changed)"
    assert "stored" not in line(one)


def test_one_process_serves_one_comparison_after_another(tmp_path: Path) -> None:
    outcomes = run_all([task(name, tmp_path) for name in "abc"], 1, lambda event: None, pretend)
    assert len({each.summary for each in outcomes if isinstance(each, Finished)}) == 1


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_leaves_no_process_behind(by: signal.Signals, tmp_path: Path) -> None:
    program = (
        "import signal\n"
        "from pathlib import Path\n"
        "from comparisons.command.processes import Task, run_all\n"
        "from tests.pretended_runs import pretend, task\n"
        "if __name__ == '__main__':\n"
        # A shell that starts the tests in the background lets them inherit that interrupts are ignored.
        "    signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        f"    run_all([Task('sleeps', Path({str(tmp_path)!r}), 1, 100, 2, False)], 1, print, pretend)\n"
    )
    script = tmp_path / "script.py"
    script.write_text(program)
    root = Path(__file__).parents[3]
    started = subprocess.Popen(
        [sys.executable, str(script)], env=os.environ | {"PYTHONPATH": str(root)}, stderr=subprocess.DEVNULL
    )
    asleep = tmp_path / "asleep"
    # Generous: three interpreters start, which on a busy machine takes a minute.
    deadline = time.monotonic() + 180
    try:
        while not (asleep.exists() and asleep.read_text()) and time.monotonic() < deadline:
            time.sleep(0.05)
        started.send_signal(by)
        assert started.wait(60) != 0
    finally:
        # Whatever fails here, no later test is to find the process.
        started.kill()
        started.wait()
    with pytest.raises(ProcessLookupError):
        os.kill(int(asleep.read_text()), 0)


def test_a_process_whose_starter_was_killed_ends_and_calls_that_no_crash(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, abandoned))
    process.start()
    theirs.close()
    asked = task("one", tmp_path)
    ours.send(asked)
    assert ours.recv() == Stage("one", "starting")
    ours.close()
    (tmp_path / "gone").touch()
    process.join(60)
    assert process.exitcode == 1
    run = store.later_run(asked.directory)
    assert run is not None
    assert run.error is None


def test_a_process_keeps_to_the_structure_that_it_has_compiled() -> None:
    def of_structure(name: str, structure: str) -> Task:
        return Task(name, Path(), 1, 100, 2, fresh=False, structure=(structure,))

    waiting = deque([of_structure("a", "coins"), of_structure("b", "normals"), of_structure("c", "coins")])
    assert _next(waiting, [], ("normals",)).name == "b"
    assert _next(waiting, [], ("normals",)).name == "a"
    assert [left.name for left in waiting] == ["c"]
