"""Phases of tasks: here or in processes, each done once, nothing left running."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from configs.artifact import Builder, Claim, build
from configs.errors import UserError
from corpus import workers
from corpus.tasks import run_phase
from corpus.workers import Workers

REPOSITORY = Path(__file__).parents[2]

# Work for processes must be importable by name in them.
WORK = """
import os
import time
from configs.errors import UserError

def square(claim, number):
    if number < 0:
        raise UserError(f"task {claim.key}: {number} is below zero")
    with claim.file(f"squares/{number}.txt") as out:
        out.write(f"{number * number} by {os.getpid()}".encode())
    return number * number

def die(claim, number):
    os.kill(os.getpid(), 9)

def sleep(claim, seconds):
    with claim.file(f"asleep/{claim.key}.txt") as out:
        out.write(f"{os.getpid()}".encode())
    time.sleep(seconds)
"""


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module of the work."""
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "tsugiki_test_work.py").write_text(WORK)
    monkeypatch.syspath_prepend(tmp_path / "work")
    monkeypatch.delitem(sys.modules, "tsugiki_test_work", raising=False)
    import tsugiki_test_work  # type: ignore[import-not-found]

    return tsugiki_test_work


@pytest.fixture
def in_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any amount of work is worth a process."""
    monkeypatch.setattr(workers, "_WORTH_A_PROCESS_BYTES", 0)


def builder_in(directory: Path) -> Builder:
    """Begin or go on."""
    return build(directory, kind="squares", version=1, config={}, inputs={})


def phase(directory: Path, work: Any, numbers: list[int], workers: int, name: str = "square") -> dict[str, Any]:
    """Square some numbers, a task each."""
    arguments = {f"t{number}": (number, 1) for number in numbers}
    return run_phase(builder_in(directory), name, work.square, arguments, workers)


def process_ids(directory: Path) -> set[str]:
    """Who did the work."""
    return {path.read_text().split(" by ")[1] for path in (directory / "squares").iterdir()}


def test_results_come_in_the_order_of_the_arguments(tmp_path: Path, work: Any) -> None:
    assert list(phase(tmp_path / "k", work, [3, 1, 2], 1).items()) == [("t3", 9), ("t1", 1), ("t2", 4)]
    assert process_ids(tmp_path / "k") == {str(os.getpid())}


@pytest.mark.usefixtures("in_processes")
def test_processes_give_the_same_in_the_same_order(tmp_path: Path, work: Any) -> None:
    assert list(phase(tmp_path / "k", work, [3, 1, 2], 2).items()) == [("t3", 9), ("t1", 1), ("t2", 4)]
    assert str(os.getpid()) not in process_ids(tmp_path / "k")


def test_small_work_starts_no_process(tmp_path: Path, work: Any) -> None:
    phase(tmp_path / "k", work, [1, 2, 3], 2)
    assert process_ids(tmp_path / "k") == {str(os.getpid())}


def test_finished_tasks_are_not_done_again(tmp_path: Path, work: Any) -> None:
    phase(tmp_path / "k", work, [1, 2], 1)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "k" / "squares").iterdir()}
    again = phase(tmp_path / "k", work, [3, 2, 1], 1)
    assert list(again.items()) == [("t3", 9), ("t2", 4), ("t1", 1)]
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_another_phase_is_another_task(tmp_path: Path, work: Any) -> None:
    phase(tmp_path / "k", work, [1], 1)
    assert isinstance(builder_in(tmp_path / "k").task("cube-t1"), Claim)


@pytest.mark.parametrize("workers", [1, 2], ids=["here", "in processes"])
@pytest.mark.usefixtures("in_processes")
def test_an_error_ends_the_phase_and_what_was_finished_is_kept(tmp_path: Path, work: Any, workers: int) -> None:
    with pytest.raises(UserError) as caught:
        phase(tmp_path / "k", work, [2, -1], workers)
    assert str(caught.value) == "task square-t-1: -1 is below zero"
    assert phase(tmp_path / "k", work, [2, 3], workers) == {"t2": 4, "t3": 9}


@pytest.mark.usefixtures("in_processes")
def test_processes_are_kept_from_phase_to_phase_for_single_tasks_too_and_end_with_the_stage(
    tmp_path: Path, work: Any
) -> None:
    builder = builder_in(tmp_path / "k")
    with Workers(2) as kept:
        for numbers in ([1, 2], [3, 4], [5]):
            run_phase(builder, "square", work.square, {f"t{number}": (number, 1) for number in numbers}, kept)
    found = process_ids(tmp_path / "k")
    assert len(found) <= 2
    assert str(os.getpid()) not in found
    ends = time.monotonic() + 60
    while any(is_running(int(one)) for one in found):
        assert time.monotonic() < ends
        time.sleep(0.05)


@pytest.mark.usefixtures("in_processes")
def test_a_process_that_is_killed_is_told(tmp_path: Path, work: Any) -> None:
    with pytest.raises(UserError, match="was killed from outside, most often because memory ran out"):
        run_phase(builder_in(tmp_path / "k"), "die", work.die, {"a": (1, 1), "b": (2, 1)}, 2)


def test_no_tasks_are_no_work(tmp_path: Path, work: Any) -> None:
    assert phase(tmp_path / "k", work, [], 0) == {}


DRIVER = """
import sys
from pathlib import Path
from configs.artifact import build
from configs.cli import main
from corpus import tasks, workers

def do(_):
    import tsugiki_test_work
    builder = build(Path(sys.argv[1]), kind="k", version=1, config={}, inputs={})
    arguments = {f"t{n}": (float(sys.argv[2]), 1) for n in range(40)}
    tasks.run_phase(builder, "sleep", tsugiki_test_work.sleep, arguments, 2)

if __name__ == "__main__":
    workers._WORTH_A_PROCESS_BYTES = 0
    raise SystemExit(main("test", lambda parser: parser.set_defaults(do=do), []))
"""


def running(directory: Path, work: Any, seconds: float) -> tuple[subprocess.Popen[str], list[int]]:
    """A program with two processes at work, and their numbers."""
    (directory / "driver.py").write_text(DRIVER)
    environment = {**os.environ, "PYTHONPATH": f"{REPOSITORY}:{Path(work.__file__).parent}"}
    parent = subprocess.Popen(
        [sys.executable, str(directory / "driver.py"), str(directory / "k"), str(seconds)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    ends = time.monotonic() + 3000
    while len(found := list((directory / "k" / "asleep").glob("*.txt"))) < 2:
        assert time.monotonic() < ends
        assert parent.poll() is None
        time.sleep(0.05)
    return parent, [int(path.read_text()) for path in found]


def is_running(process: int) -> bool:
    """Whether a process is alive, and no zombie."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{process}/status").read_text()
    except FileNotFoundError:
        return False


def test_processes_do_not_outlive_a_killed_parent(tmp_path: Path, work: Any) -> None:
    parent, children = running(tmp_path, work, 120)
    assert all(map(is_running, children))
    parent.send_signal(signal.SIGKILL)
    parent.communicate(timeout=300)
    ends = time.monotonic() + 30
    while any(map(is_running, children)):
        assert time.monotonic() < ends
        time.sleep(0.05)


def test_ctrl_c_lets_running_tasks_finish_starts_no_other_and_gives_130(tmp_path: Path, work: Any) -> None:
    parent, children = running(tmp_path, work, 1)
    # What a terminal does: every process of the group gets the signal.
    os.killpg(parent.pid, signal.SIGINT)
    _, told = parent.communicate(timeout=300)
    assert parent.returncode == 130
    assert told.endswith("\ntsugiki: stopped; finished work is kept, the same command goes on from there\n")
    assert "Traceback" not in told
    assert not any(map(is_running, children))
    assert len(list((tmp_path / "k" / "asleep").iterdir())) < 40
    finished = [path.stem for path in (tmp_path / "k" / ".tasks").glob("*.json")]
    assert len(finished) == len(list((tmp_path / "k" / "asleep").iterdir()))
