"""What stops a chain on a real Slurm: the reason is the log's last line, and in `status`."""

from __future__ import annotations

from pathlib import Path

import pytest

from slurm.attempts import starts as starts_of
from tests.slurm.place import NewPlace, Place

pytestmark = pytest.mark.slurm

LAUNCHERS = [pytest.param("srun", marks=pytest.mark.slow), pytest.param("torchrun", marks=pytest.mark.soak)]

FOUR = "pretrain.parallel={processes: 2}"


def reason_of_stop(run: Place) -> str:
    """Submit, wait, and look that the chain has stopped at its training."""
    run.submit()
    run.until_over()
    return why_it_stopped(run)


def why_it_stopped(run: Place) -> str:
    """The reason, which `status` and the log's last line agree on."""
    found = run.status()
    train = found["train"]
    reason: str = train["reason"]
    assert train["state"] == "stopped", run.log()
    assert train["last_lines"][-1] == f"tsugiki: training does not go on: {reason}", run.log()
    assert found["export"]["state"] == "cancelled"
    return reason


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_a_loss_that_stays_wrong(packed: NewPlace, launcher: str) -> None:
    guards = "pretrain.guards={max_grad_norm: 1.0e-9, max_skipped: 2}"
    run = packed("run", guards, FOUR, f"slurm.launcher={launcher}")
    reason = reason_of_stop(run)
    assert reason.startswith("training ended by an error: ")
    assert "skipped" in reason


@pytest.mark.slow
def test_three_starts_that_save_nothing(packed: NewPlace) -> None:
    """Somebody makes the job begin again each time before it has saved."""
    run = packed("run", "pretrain.checkpoint.every_steps=400")
    (job,) = run.submit()["train"]
    for starts in range(1, 4):
        run.until(lambda starts=starts: len(starts_of(run.folder)) == starts)  # type: ignore[misc]
        run.cluster.ask("scontrol", "requeue", job)
    run.until_over()
    assert why_it_stopped(run).startswith("3 starts have not brought it beyond step 0; save more often")


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_a_run_file_that_becomes_wrong_is_told_once(packed: NewPlace, tmp_path: Path, launcher: str) -> None:
    """After `begin`, so that it is the four processes that read it; before, it is `begin` that tells it."""
    run = packed("run", FOUR, f"slurm.launcher={launcher}")
    script, wrong = tmp_path / "train.sbatch", tmp_path / "wrong.yaml"
    wrong.write_text(Path(run.words[0]).read_text() + "corpse: {}\n")
    run.does("render")
    lines = (run.folder / "4-train.sbatch").read_text().splitlines()
    lines = [line.replace(run.words[0], str(wrong)) if "-m pretrain train" in line else line for line in lines]
    script.write_text("\n".join(lines) + "\n")
    job = run.cluster.ask("sbatch", "--parsable", str(script)).strip()
    run.until_over()
    log = (run.folder / f"{job}-train.log").read_text()
    line = len(wrong.read_text().splitlines())
    told = f"{wrong}:{line}:1: corpse: unknown key; did you mean 'corpus'?"
    assert log.count(f"{told}\n1 problem(s); nothing was started\n") == log.count("problem(s)") == 1, log
    assert launcher == "torchrun" or "Traceback" not in log  # torchrun has some of its own
    assert log.splitlines()[-1].endswith(told)
    assert log.splitlines()[-1].startswith("tsugiki: training does not go on: training ended by ")


@pytest.mark.slow
def test_a_run_file_that_is_wrong_when_the_job_begins(packed: NewPlace, tmp_path: Path) -> None:
    run = packed("run", FOUR)
    run.cluster.ask("scontrol", "update", "partition=gpu", "state=down")
    run_file = Path(run.words[0])
    right = run_file.read_text()
    try:
        (job,) = run.submit()["train"]
        run_file.write_text(right + "corpse: {}\n")
        run.cluster.ask("scontrol", "update", "partition=gpu", "state=up")
        run.until_over()
    finally:
        run_file.write_text(right)
    assert (run.folder / f"{job}-train.log").read_text().splitlines()[-1] == "1 problem(s); nothing was started"
    assert run.status()["train"]["state"] == "failed"
    assert run.status()["train"]["reason"].endswith("corpse: unknown key; did you mean 'corpus'?")
    assert run.status()["export"]["state"] == "cancelled"
