"""One process works in a run directory; one that was killed holds nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from configs.errors import UserError
from configs.lock import HELD_ABOVE, exclusive

REPOSITORY = Path(__file__).parents[2]
HOLD = """
import sys
from pathlib import Path
from configs.lock import exclusive
with exclusive(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def holder(directory: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock until its input ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(directory)],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    with process:
        yield process


def can_be_locked(directory: Path) -> bool:
    """Whether the lock is free."""
    try:
        with exclusive(directory):
            return True
    except UserError:
        return False


def test_a_second_process_is_refused_and_told_the_number_of_the_first(tmp_path: Path) -> None:
    directory = tmp_path / "run"
    with holder(directory) as first:
        with pytest.raises(UserError) as caught, exclusive(directory):
            pass
        assert str(caught.value) == (
            f"{directory}: process {first.pid} works here; wait for it, or name another run.dir"
        )
    assert can_be_locked(directory)


def test_a_killed_process_holds_nothing(tmp_path: Path) -> None:
    with holder(tmp_path) as first:
        assert not can_be_locked(tmp_path)
        first.send_signal(signal.SIGKILL)
        first.wait()
    assert can_be_locked(tmp_path)


def test_a_lock_ends_with_an_error_too(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), exclusive(tmp_path):
        assert 1 / 0
    assert can_be_locked(tmp_path)


def test_the_same_process_cannot_lock_twice(tmp_path: Path) -> None:
    with exclusive(tmp_path):
        told = pytest.raises(UserError, match=f"process {os.getpid()} works here")
        with told, exclusive(tmp_path):
            pass


def test_other_directories_are_free(tmp_path: Path) -> None:
    with exclusive(tmp_path / "a"):
        assert can_be_locked(tmp_path / "b")


def test_a_process_that_the_holder_started_may_enter_its_directory_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with holder(tmp_path / "a"), holder(tmp_path / "b"):
        monkeypatch.setenv(HELD_ABOVE, str(tmp_path / "a"))
        assert can_be_locked(tmp_path / "a")
        assert not can_be_locked(tmp_path / "b")


def test_a_file_in_the_place_of_the_directory_is_told(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("")
    with pytest.raises(UserError) as caught, exclusive(tmp_path / "run"):
        pass
    assert str(caught.value) == f"{tmp_path / 'run'}: a file of that name is in the way"


def test_a_copy_of_the_process_that_lives_longer_holds_nothing(tmp_path: Path) -> None:
    (waits, ends), (hears, tells) = os.pipe(), os.pipe()
    with exclusive(tmp_path):
        copy = os.fork()
        if copy == 0:
            os.write(tells, b"!")
            os.close(ends)
            os.read(waits, 1)
            os._exit(0)
        os.read(hears, 1)
    try:
        assert can_be_locked(tmp_path)
    finally:
        os.close(ends)
        os.waitpid(copy, 0)
        for handle in (waits, hears, tells):
            os.close(handle)
