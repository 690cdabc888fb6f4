"""Asked to stop, training saves, ends with status 75, and goes on later as if nothing had been."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from configs.errors import UserError
from configs.schema.guards import Stop
from configs.schema.run import Run
from pretrain.stage import checkpoints_dir
from pretrain.stop import FILE, StopRequests
from pretrain.train import train
from tests.pretrain.test_train import files_of
from tsugiki.processes import run_together

MakeRun = Callable[..., Run]
REPOSITORY = Path(__file__).parents[2]

# Trains through the command line; rank 1 (or the only one) sends itself a signal when a step begins.
_ASKED = """
import os, signal, sys
from configs.program import run_program
from pretrain import step

run_file, run_dir, sent, at, rank, *words = sys.argv[1:]
rates, calls = step.lr_by_group, 0

def asking(*arguments):
    global calls
    calls += 1
    if calls == int(at) and os.environ.get("RANK", "0") == rank:
        os.kill(os.getpid(), int(sent))
    return rates(*arguments)

step.lr_by_group = asking
words = [word for given in (run_dir, *words) for word in ("--set", given)]
sys.argv = ["tsugiki pretrain", "train", run_file, *words]
run_program("tsugiki pretrain", "pretrain.cli")
"""


def asked_for(run: Run, root: Path, number: int, at: int, rank: int, *words: str) -> list[str]:
    """The command that trains `run` and is sent a signal."""
    where = [str(root / "run.yaml"), f"run.dir={run.run.dir}", str(int(number)), str(at), str(rank)]
    return [sys.executable, "-c", _ASKED, *where, *words]


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(signal.SIGTERM, id="SIGTERM"),
        pytest.param(signal.SIGUSR1, marks=pytest.mark.slow, id="SIGUSR1"),
        pytest.param(signal.SIGUSR2, marks=pytest.mark.slow, id="SIGUSR2"),
    ],
)
def test_a_signal_saves_at_once_and_the_same_command_ends_with_the_same_bytes(
    trained: Run, packed: MakeRun, packed_root: Path, number: signal.Signals
) -> None:
    run = packed()
    command = asked_for(run, packed_root, number, 6, 0)
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 75, done.stderr
    assert done.stderr.endswith(
        f"\ntsugiki: training has stopped after step 6 of 12, because {number.name} asks for it; "
        "all is saved, and the same command goes on from there\n"
    )
    root = checkpoints_dir(run)
    assert (root / "step-00000006" / "manifest.json").exists()
    assert not (root / "manifest.json").exists()
    train(run)
    assert files_of(root) == files_of(checkpoints_dir(trained))


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["deepspeed", "megatron"])
def test_a_signal_to_one_rank_stops_all_after_the_same_step(
    packed: MakeRun, packed_root: Path, engine: str, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("deepspeed" if engine == "deepspeed" else "megatron.core")
    layout = "{processes: 2}" if engine == "deepspeed" else "{processes: 2, tensor: 2}"
    words = (f"pretrain.engine={engine}", f"pretrain.parallel={layout}")
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "GLOO_SOCKET_IFNAME": "lo"}
    ends = []
    for at in (5, 99):
        run = packed(*words)
        command = asked_for(run, packed_root, signal.SIGUSR1, at, 1, *words)
        if at == 5:
            with pytest.raises(UserError) as caught:
                run_together(command, 2, environment)
            assert caught.value.exit_code == 75
            assert capfd.readouterr().err.count("training has stopped after step 5 of 12, because SIGUSR1") == 1
            assert (checkpoints_dir(run) / "step-00000005" / "manifest.json").exists()
        run_together(asked_for(run, packed_root, signal.SIGUSR1, 99, 1, *words), 2, environment)
        ends.append(files_of(checkpoints_dir(run)))
    assert ends[0] == ends[1]


def test_a_stop_file_is_obeyed_once(trained: Run, packed: MakeRun) -> None:
    run = packed()
    (run.run.dir / FILE).touch()
    with pytest.raises(UserError, match=r"after step 1 of 12, because the file .*/stop asks for it") as caught:
        train(run)
    assert caught.value.exit_code == 75
    train(run)
    assert files_of(checkpoints_dir(run)) == files_of(checkpoints_dir(trained))


def test_after_the_last_step_nobody_stops_what_is_complete(trained: Run, packed: MakeRun) -> None:
    run = packed("pretrain.batch_tokens=3072", "pretrain.stop.minutes=1e-9")
    train(run)
    assert (checkpoints_dir(run) / "manifest.json").exists()


def test_minutes_are_counted_from_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "monotonic", lambda: 1000.0)
    requests = StopRequests(Stop(minutes=2), tmp_path / FILE)
    monkeypatch.setattr(time, "monotonic", lambda: 1120.0)
    assert requests.agreed() is None
    monkeypatch.setattr(time, "monotonic", lambda: 1120.1)
    assert requests.agreed() == "pretrain.stop.minutes (2) are over"


@pytest.mark.parametrize(
    ("job_s", "left_s", "stops"),
    [
        pytest.param(3600.0, 301.0, None, id="more than five minutes are left"),
        pytest.param(3600.0, 299.0, "the Slurm allocation ends in less than 300 s", id="less are left"),
        pytest.param(240.0, 121.0, None, id="a short job trains for half of its time"),
        pytest.param(240.0, 119.0, "the Slurm allocation ends in less than 120 s", id="and no longer"),
    ],
)
def test_the_end_of_a_slurm_job_is_seen_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, job_s: float, left_s: float, stops: str | None
) -> None:
    monkeypatch.setenv("SLURM_JOB_END_TIME", str(1_800_000_000))
    monkeypatch.setattr(time, "time", lambda: 1_800_000_000 - job_s)
    requests = StopRequests(Stop(), tmp_path / FILE)
    monkeypatch.setattr(time, "time", lambda: 1_800_000_000 - left_s)
    assert requests.agreed() == stops


def test_a_variable_of_slurm_that_is_no_number_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_JOB_END_TIME", "soon")
    with pytest.raises(UserError, match="SLURM_JOB_END_TIME must be a number, got 'soon'"):
        StopRequests(Stop(), tmp_path / FILE)


def test_signals_are_heard_inside_only(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGUSR1)
    with StopRequests(Stop(), tmp_path / FILE) as requests:
        assert requests.agreed() is None
        signal.raise_signal(signal.SIGUSR1)
        assert requests.agreed() == "SIGUSR1 asks for it"
    assert signal.getsignal(signal.SIGUSR1) == before
