"""Two processes whose disk fills while they train: they agree, stop together, and say once what to do."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from configs.errors import UserError
from pretrain.checkpoint.directory import complete, incomplete
from tests.tsugiki.conftest import REPOSITORY, tsugiki
from tsugiki.processes import run_together

pytestmark = pytest.mark.slow


def _words(finished: Path, tmp_path: Path, disk: Path) -> list[str]:
    """`tsugiki run` whose checkpoints lie on a disk of their own."""
    pytest.importorskip("deepspeed", reason="DeepSpeed is not installed")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "checkpoints").symlink_to(disk, target_is_directory=True)
    settings = ["engine=deepspeed", "parallel={processes: 2, zero: 2}", "checkpoint={every_steps: 1, keep_last: 2}"]
    overrides = [f"run.dir={tmp_path}/run", *(f"pretrain.{one}" for one in settings)]
    return ["run", str(finished / "run.yaml"), *(word for one in overrides for word in ("--set", one))]


def _told(err: str) -> list[str]:
    assert "Traceback" not in err
    return [line for line in err.splitlines() if line.startswith("tsugiki: ")]


def _newest(disk: Path) -> int:
    return int(complete(disk)[-1].name.removeprefix("step-")) if complete(disk) else 0


def test_without_room_for_the_next_save_both_stop_and_one_says_what_to_free(
    finished: Path, tmp_path: Path, disk: Callable[[str], Path], capfd: pytest.CaptureFixture[str]
) -> None:
    full = disk("40m")
    words = _words(finished, tmp_path, full)
    for made in ("corpus", "tokenizer", "tokens", "packed"):
        shutil.copytree(finished / "run" / made, tmp_path / "run" / made)
    # Between two saves, when nothing is written.
    filled = [sys.executable, "-m", "tests.at_call", "pretrain.checkpoint.disk_space", "refuse_save", "4", "0"]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "GLOO_SOCKET_IFNAME": "lo", "PYTHONWARNINGS": "ignore"}
    with pytest.raises(UserError, match=r"process \d ended with status 1; its message stands above$"):
        run_together([*filled, f"fill:{full}", "train", *words[1:]], 2, environment)
    [said] = _told(capfd.readouterr().err)
    assert re.fullmatch(
        rf"tsugiki: {tmp_path}/run/checkpoints: the next checkpoint takes 0\.\d MB, the file system has 0\.\d MB left; "
        r"free 0\.\d MB or lower pretrain\.checkpoint\.keep_last, and run the same command again",
        said,
    )
    assert _newest(full) == 3
    assert not list(full.glob("*.partial*"))
    assert not incomplete(full)
    (full / "somebody-else's").unlink()
    again = tsugiki(*words)
    assert again.returncode == 0, again.stderr
    assert _newest(full) == 12


def test_a_disk_that_refuses_a_file_though_it_seems_to_have_room_is_told_once(
    finished: Path, tmp_path: Path, disk: Callable[[str], Path]
) -> None:
    # A quota cannot be seen beforehand; nor are the files counted that a file system may hold.
    full = disk("40m,nr_inodes=28")
    words = _words(finished, tmp_path, full)
    words += ["--set", "pretrain.checkpoint.keep_last=12"]
    stopped = tsugiki(*words)
    assert stopped.returncode == 1
    said, where = _told(stopped.stderr)
    assert re.fullmatch(
        r"tsugiki: \S+: no space left on the device; free some and run the same command again, .*", said
    )
    assert where.endswith("its message stands above")
    assert 1 <= _newest(full) < 12
    assert not list(full.glob("*.partial*"))
    assert not incomplete(full)
    disk("40m,nr_inodes=1000")
    again = tsugiki(*words)
    assert again.returncode == 0, again.stderr
    assert [path.name for path in complete(full)] == [f"step-{step:08d}" for step in range(1, 13)]
