"""What goes on and what does not, on both sides of each border."""

from __future__ import annotations

from pathlib import Path

import pytest

from configs.errors import UserError
from slurm.attempts import (
    AGAIN,
    BEGINS_AGAIN,
    GOES_ON,
    begin,
    end,
    forget,
    last_error,
    said_before,
    saved_step,
    starts,
    why_stopped,
)


def save(checkpoints: Path, step: int) -> None:
    """A checkpoint, as far as anybody looks here."""
    folder = checkpoints / f"step-{step:08d}"
    folder.mkdir(parents=True)
    (folder / "manifest.json").touch()


def test_three_starts_without_a_step_more_are_enough(tmp_path: Path) -> None:
    checkpoints = tmp_path / "checkpoints"
    for _ in range(3):
        begin(tmp_path / "slurm", checkpoints, tmp_path / "log")
    with pytest.raises(UserError, match="3 starts have not brought it beyond step 0"):
        begin(tmp_path / "slurm", checkpoints, tmp_path / "log")
    with pytest.raises(UserError, match="does not go on: 3 starts"):
        begin(tmp_path / "slurm", checkpoints, tmp_path / "log")
    forget(tmp_path / "slurm")
    begin(tmp_path / "slurm", checkpoints, tmp_path / "log")
    assert len(starts(tmp_path / "slurm")) == 1


def test_a_step_more_in_a_checkpoint_is_progress(tmp_path: Path) -> None:
    checkpoints = tmp_path / "checkpoints"
    for step in (4, 8):
        for _ in range(3):
            begin(tmp_path / "slurm", checkpoints, tmp_path / "log")
        save(checkpoints, step)
    begin(tmp_path / "slurm", checkpoints, tmp_path / "log")
    assert [start["step"] for start in starts(tmp_path / "slurm")] == [0, 0, 0, 4, 4, 4, 8]


def test_a_save_that_is_not_complete_counts_for_nothing(tmp_path: Path) -> None:
    save(tmp_path, 4)
    (tmp_path / "step-00000008.partial-7f3a").mkdir()
    (tmp_path / "step-00000008.damaged").mkdir()
    (tmp_path / "step-00000008.damaged" / "manifest.json").touch()
    assert saved_step(tmp_path) == 4


@pytest.mark.parametrize(("status", "nodes_answer"), [(0, True), (1, False), (137, False)])
def test_saved_or_left_by_a_node_goes_on(tmp_path: Path, status: int, nodes_answer: bool) -> None:
    assert end(tmp_path, tmp_path / "c", tmp_path / "log", status, nodes_answer=nodes_answer) == AGAIN
    assert why_stopped(tmp_path) is None


def test_trained_to_the_end_is_followed_by_the_next_stage(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").touch()
    assert end(tmp_path / "slurm", tmp_path, tmp_path / "log", 0, nodes_answer=True) == 0


@pytest.mark.parametrize(
    ("log", "status", "reason"),
    [
        pytest.param("tsugiki: more than 10 steps skipped\nsrun: error", 1, "an error: more than 10 ", id="our words"),
        pytest.param(
            "run.yaml:4:3: pretrain.x: unknown key\n1 problem(s); nothing was started\nsrun: error",
            2,
            "a wrong run file: run.yaml:4:3: pretrain.x: unknown key",
            id="the run file",
        ),
        pytest.param("Killed", 137, "SIGKILL, perhaps for want of memory: its last words are in", id="memory"),
        pytest.param("", 7, "status 7: its last", id="anything else"),
    ],
)
def test_a_failure_stops_the_chain_with_its_reason(tmp_path: Path, log: str, status: int, reason: str) -> None:
    (tmp_path / "log").write_text(log)
    with pytest.raises(UserError, match="training does not go on: training ended by "):
        end(tmp_path / "slurm", tmp_path / "c", tmp_path / "log", status, nodes_answer=True)
    assert reason in (why_stopped(tmp_path / "slurm") or "")


def test_what_an_earlier_start_said_is_not_why_this_one_failed(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("tsugiki: training has stopped after step 4\n")
    begin(tmp_path / "slurm", tmp_path / "c", log)
    with open(log, "a") as out:
        out.write("Killed\n")
    with pytest.raises(UserError, match="by SIGKILL, perhaps for want of memory: its last words are in the log"):
        end(tmp_path / "slurm", tmp_path / "c", log, 137, nodes_answer=True)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        pytest.param(f"tsugiki: {GOES_ON}\nslurmstepd: error: DUE TO TIME LIMIT\n", None, id="nothing by this start"),
        pytest.param(f"tsugiki: {BEGINS_AGAIN}node2; node2: slow\n", None, id="nothing since a look at the nodes"),
        pytest.param(
            f"tsugiki: {GOES_ON}\nrun.yaml:4:3: pretrain.x: unknown key\n1 problem(s); nothing was started\n",
            "run.yaml:4:3: pretrain.x: unknown key",
            id="a run file that became wrong since",
        ),
        pytest.param(
            "run.yaml:4:3: pretrain.x: unknown key\n1 problem(s); nothing was started\ntsugiki: too few nodes\n",
            "too few nodes",
            id="a later message",
        ),
    ],
)
def test_what_counts_is_said_last(tmp_path: Path, said: str, told: str | None) -> None:
    (tmp_path / "log").write_text(said)
    assert last_error(tmp_path / "log") == told


def test_status_reads_no_words_of_an_earlier_start_of_the_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "log"
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    assert said_before(tmp_path / "slurm", "7") == 0
    for words in ("tsugiki: a GPU is lost\n", "Killed\n"):
        begin(tmp_path / "slurm", tmp_path / "c", log)
        with open(log, "a") as out:
            out.write(words)
    assert last_error(log) == "a GPU is lost"
    assert last_error(log, said_before(tmp_path / "slurm", "7")) is None
    assert said_before(tmp_path / "slurm", "8") == 0  # another job has another log


def test_one_that_was_ended_because_another_failed_is_not_blamed(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("tsugiki: more than 10 steps skipped\n")
    with pytest.raises(UserError, match="training ended by an error: more than 10"):
        end(tmp_path / "slurm", tmp_path / "c", tmp_path / "log", 137, nodes_answer=True)
