"""Runs that are killed, stopped, out of disk or without rights, and go on."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.tsugiki.conftest import REPOSITORY, made_by, tsugiki
from tsugiki.__main__ import main


def _start(root: Path, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tsugiki", "run", str(root / "run.yaml"), *words]
    return subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, cwd=REPOSITORY)


@pytest.mark.slow
def test_ctrl_c_ends_with_one_line_and_the_same_command_goes_on(finished: Path, tmp_path: Path) -> None:
    words = ["--set", f"run.dir={tmp_path}/run"]
    process = _start(finished, *words)
    ends = time.monotonic() + 300
    while not (tmp_path / "run" / "checkpoints" / "metrics.jsonl").exists() and time.monotonic() < ends:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert err.endswith("tsugiki: stopped; finished work is kept, the same command goes on from there\n")
    assert main(["run", str(finished / "run.yaml"), *words]) == 0
    assert (tmp_path / "run" / "checkpoints" / "manifest.json").read_bytes() == (
        finished / "run" / "checkpoints" / "manifest.json"
    ).read_bytes()


def _killed_after(root: Path, seconds: float, *words: str) -> None:
    process = _start(root, *words)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
    process.communicate()


def _moments(count: int) -> list[object]:
    """Moments spread over a run of some ten seconds, the first while it still imports."""
    return [pytest.param(0.5 + 9.5 * k / count, id=f"{k + 1} of {count}") for k in range(count)]


def _killed_at_any_moment(finished: Path, place: Path, seconds: float) -> None:
    words = ["--set", f"run.dir={place}/run"]
    _killed_after(finished, seconds, *words)
    assert main(["run", str(finished / "run.yaml"), *words]) == 0
    one, other = made_by(finished / "run"), made_by(place / "run")
    assert [name for name in one if one[name] != other[name]] == ["report/report.html", "report/manifest.json"]


@pytest.mark.slow
@pytest.mark.parametrize("seconds", _moments(3))
def test_killed_at_any_moment_it_ends_with_the_same_bytes(finished: Path, tmp_path: Path, seconds: float) -> None:
    _killed_at_any_moment(finished, tmp_path, seconds)


@pytest.mark.soak
@pytest.mark.parametrize("seconds", _moments(40))
def test_killed_at_forty_moments_it_ends_with_the_same_bytes(finished: Path, tmp_path: Path, seconds: float) -> None:
    _killed_at_any_moment(finished, tmp_path, seconds)


@pytest.mark.slow
def test_a_small_disk_is_one_clear_message_and_leaves_nothing_half_written(
    finished: Path, disk: Callable[[str], Path]
) -> None:
    # Room for the corpus and the tokenizer, and not for the checkpoints.
    full = disk("600k")
    words = ("--set", f"run.dir={full}/run")
    stopped = tsugiki("run", str(finished / "run.yaml"), *words)
    assert stopped.returncode == 1
    assert "Traceback" not in stopped.stderr
    assert "more are needed than the file system has left. Free them, keep fewer" in stopped.stderr
    assert not list(full.rglob("*.partial*"))
    disk("40m")
    assert tsugiki("run", str(finished / "run.yaml"), *words).returncode == 0
    one, other = made_by(finished / "run"), made_by(full / "run")
    assert [name for name in one if one[name] != other[name]] == ["report/report.html", "report/manifest.json"]


@pytest.fixture
def not_ours(finished: Path) -> Iterator[Path]:
    """A folder that may be read and not written, with a run file; as root this process drops its rights meanwhile."""
    place = Path(tempfile.mkdtemp())
    shutil.copy(finished / "run.yaml", place)
    place.chmod(0o555)
    root = os.getuid() == 0
    if root:
        os.seteuid(pwd.getpwnam("nobody").pw_uid)
    try:
        yield place
    finally:
        if root:
            os.seteuid(0)
        place.chmod(0o755)
        shutil.rmtree(place)


def test_no_permission_to_write_is_one_clear_message(not_ours: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", str(not_ours / "run.yaml"), "--set", f"run.dir={not_ours}/run"]) == 1
    message = f"tsugiki: {not_ours}/run: no permission; give this user access, or name another directory\n"
    assert capsys.readouterr().err.endswith(message)
    assert [path.name for path in not_ours.iterdir()] == ["run.yaml"]
