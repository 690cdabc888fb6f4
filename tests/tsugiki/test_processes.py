"""Processes that are started, told and ended together."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from configs.errors import UnfinishedError, UserError
from tests.tsugiki.conftest import REPOSITORY
from tsugiki.processes import run_together

_PATH = {**os.environ, "PYTHONPATH": str(REPOSITORY)}


def program(body: str) -> list[str]:
    """A program of some lines that knows its rank and ends with the process that started it."""
    start = """
        import os, signal, sys, time
        from pathlib import Path
        from configs.child import follow_starter
        follow_starter()
        rank = int(os.environ["RANK"])
    """
    return [sys.executable, "-c", textwrap.dedent(start) + textwrap.dedent(body)]


def test_each_knows_its_place(tmp_path: Path) -> None:
    names = "RANK LOCAL_RANK WORLD_SIZE MASTER_ADDR LOCAL_WORLD_SIZE"
    body = f"""
        words = [os.environ[name] for name in "{names}".split()]
        Path("{tmp_path}", str(rank)).write_text(" ".join(words) + " " + os.environ["MASTER_PORT"])
    """
    run_together(program(body), 2, _PATH)
    first, second = ((tmp_path / str(rank)).read_text().split() for rank in range(2))
    assert first[:5] == ["0", "0", "2", "127.0.0.1", "2"]
    assert second[:5] == ["1", "1", "2", "127.0.0.1", "2"]
    assert first[5] == second[5]


@pytest.mark.parametrize(
    ("body", "error", "message"),
    [
        pytest.param(
            "sys.exit(3 if rank else 0)", UserError, "process 1 ended with status 3; its message", id="one fails"
        ),
        pytest.param(
            "os.kill(os.getpid(), signal.SIGKILL) if rank else time.sleep(600)",
            UserError,
            r"process 1 was ended by SIGKILL \(by somebody, or .* memory is used up\); the same command goes on",
            id="one is killed and the other waits for it",
        ),
        pytest.param(
            "os.kill(os.getpid(), signal.SIGKILL if rank else signal.SIGABRT)",
            UserError,
            "process 1 was ended by SIGKILL",
            id="one is killed and the other breaks off for it",
        ),
        pytest.param(
            "os.kill(os.getpid(), signal.SIGKILL) if rank else (time.sleep(0.2), sys.exit(1))",
            UserError,
            "process 1 was ended by SIGKILL",
            id="one is killed and the other fails for it",
        ),
        pytest.param(
            "sys.exit(1) if rank else os.kill(os.getpid(), signal.SIGABRT)",
            UserError,
            "process 1 ended with status 1",
            id="one fails and the other breaks off for it",
        ),
        pytest.param(
            "sys.exit(1) if rank else time.sleep(600)",
            UserError,
            "process 1 ended with status 1; its message stands above; process 0 did not end by itself and was killed",
            id="one fails and the other waits for it",
        ),
        pytest.param("sys.exit(75)", UnfinishedError, "before its end; its message stands above", id="all have saved"),
        pytest.param(
            "sys.exit(1 if rank else 75)", UserError, "process 1 ended with status 1", id="only one has saved"
        ),
    ],
)
def test_how_they_end_is_told(body: str, error: type[UserError], message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        run_together(program(body), 2, _PATH, to_notice_s=0.5)
    assert type(caught.value) is error


_STARTER = """
import os, sys
from configs.cli import main
from tsugiki.processes import run_together

def work(arguments):
    run_together({command!r}, 2, dict(os.environ))

sys.exit(main("test", lambda parser: parser.set_defaults(do=work), []))
"""


def started(tmp_path: Path, body: str) -> subprocess.Popen[str]:
    """A process that has started two, which are at work."""
    ready = f"Path('{tmp_path}', str(rank)).write_text(str(os.getpid()))"
    script = _STARTER.format(command=program(f"{textwrap.dedent(body)}\n{ready}\ntime.sleep(600)"))
    process = subprocess.Popen([sys.executable, "-c", script], env=_PATH, stderr=subprocess.PIPE, text=True)
    ends = time.monotonic() + 3000
    while not all((tmp_path / str(rank)).exists() for rank in range(2)):
        assert process.poll() is None
        assert time.monotonic() < ends
        time.sleep(0.02)
    return process


def all_gone(tmp_path: Path) -> bool:
    """Whether neither of the two is there any more, in a while."""
    numbers = [int((tmp_path / str(rank)).read_text() or 0) for rank in range(2)]
    ends = time.monotonic() + 300
    while any(Path(f"/proc/{number}").exists() for number in numbers) and time.monotonic() < ends:
        time.sleep(0.05)
    return not any(Path(f"/proc/{number}").exists() for number in numbers)


def test_ctrl_c_ends_all_with_one_line(tmp_path: Path) -> None:
    process = started(tmp_path, "signal.signal(signal.SIGINT, lambda *_: sys.exit(130))")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 130
    assert err == "\ntsugiki: stopped; finished work is kept, the same command goes on from there\n"
    assert all_gone(tmp_path)


def test_killed_it_takes_them_with_it(tmp_path: Path) -> None:
    process = started(tmp_path, "")
    process.kill()
    process.communicate()
    assert all_gone(tmp_path)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_asked_to_save_they_are_and_their_status_is_its_own(tmp_path: Path, number: signal.Signals) -> None:
    process = started(tmp_path, f"signal.signal({int(number)}, lambda *_: sys.exit(75))")
    process.send_signal(number)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 75
    assert "has stopped before its end" in err
