"""Processes that hang say where, and end."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from configs.errors import UserError
from configs.schema.run import Run
from pretrain.stage import checkpoints_dir
from pretrain.watchdog import Watchdog
from tsugiki.processes import run_together

MakeRun = Callable[..., Run]
REPOSITORY = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(REPOSITORY), "GLOO_SOCKET_IFNAME": "lo", "PYTHONWARNINGS": "ignore"}

_STUCK = """
import os, socket, sys, time
from pathlib import Path
from pretrain.watchdog import Watchdog

rank = int(os.environ["RANK"])

def never_comes():
    time.sleep(600)

def waits_for_the_other():
    with socket.create_server(("127.0.0.1", 0)) as door:
        door.accept()

with Watchdog(0.5, Path(sys.argv[1]), rank) as watchdog:
    watchdog.beat()
    never_comes() if rank else waits_for_the_other()
"""

# Trains through the command line; the third step of rank 1 never begins.
_STUCK_IN_TRAINING = """
import os, sys, time
from configs.program import run_program
from pretrain import step

run_file, *words = sys.argv[1:]
rates, calls = step.lr_by_group, 0

def third_never_comes(*arguments):
    global calls
    calls += 1
    if calls == 3 and os.environ["RANK"] == "1":
        time.sleep(600)
    return rates(*arguments)

step.lr_by_group = third_never_comes
words = [word for given in words for word in ("--set", given)]
sys.argv = ["tsugiki pretrain", "train", run_file, *words]
run_program("tsugiki pretrain", "pretrain.cli")
"""


def test_when_one_process_hangs_all_write_their_stacks_and_end(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UserError, match="process 0 ended with status 1; its message stands above"):
        run_together([sys.executable, "-c", _STUCK, str(tmp_path / "hang")], 2, ENVIRONMENT)
    assert (tmp_path / "hang" / "rank-00001.txt").read_text().startswith("process 1 on ")
    assert "waits_for_the_other" in (tmp_path / "hang" / "rank-00000.txt").read_text()
    assert "never_comes" in (tmp_path / "hang" / "rank-00001.txt").read_text()
    told = capfd.readouterr().err.splitlines()
    assert sorted(told) == [
        f"tsugiki: training hangs: on process {rank} no step has ended for 0.5 s (pretrain.hang_seconds); "
        f"where each process stands is in {tmp_path}/hang; the same command goes on from the last checkpoint"
        for rank in (0, 1)
    ]


@pytest.mark.slow
def test_training_in_which_a_rank_hangs_ends_with_the_stacks_of_both(
    packed: MakeRun, packed_root: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("deepspeed", reason="DeepSpeed is not installed")
    words = ("pretrain.engine=deepspeed", "pretrain.parallel.processes=2", "pretrain.hang_seconds=30")
    run = packed(*words)
    command = [sys.executable, "-c", _STUCK_IN_TRAINING, str(packed_root / "run.yaml"), f"run.dir={run.run.dir}"]
    with pytest.raises(UserError, match=r"process \d ended with status 1"):
        run_together([*command, *words], 2, ENVIRONMENT)
    stacks = [(run.run.dir / "hang" / f"rank-0000{rank}.txt").read_text() for rank in (0, 1)]
    assert "in train_step" in stacks[0]
    assert "in third_never_comes" in stacks[1]
    assert capfd.readouterr().err.count("training hangs: on process") == 2
    assert not (checkpoints_dir(run) / "manifest.json").exists()


@pytest.mark.parametrize(
    ("seconds", "now", "late"),
    [
        pytest.param(30.0, 130.0, False, id="just in time"),
        pytest.param(30.0, 130.1, True, id="just too late"),
        pytest.param(None, 1e9, False, id="switched off"),
    ],
)
def test_time_counts_from_the_last_beat(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float | None, now: float, late: bool
) -> None:
    watchdog = Watchdog(seconds, tmp_path, 0)
    monkeypatch.setattr(time, "monotonic", lambda: now)
    assert not watchdog.late()  # nothing has begun
    for beat in (50.0, 100.0):
        monkeypatch.setattr(time, "monotonic", lambda beat=beat: beat)
        watchdog.beat()
    monkeypatch.setattr(time, "monotonic", lambda: now)
    assert watchdog.late() is late
    watchdog.rest()
    assert not watchdog.late()
