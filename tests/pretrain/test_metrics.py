"""What a run measured: the same lines in every run, and curves that TensorBoard shows."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pretrain.metrics import Metrics
from pretrain.metrics_file import METRICS, SPEED, read_metrics


def step(number: int) -> dict[str, object]:
    """The line of a step."""
    return {"kind": "step", "step": number, "loss_nats": 4.0 / number}


def test_tensorboard_reads_the_curves_also_those_of_a_run_that_went_back(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    for first, last in ((1, 5), (4, 6)):  # killed after step 5, gone on from the checkpoint of step 3
        with Metrics(tmp_path, tmp_path / "boards", first - 1) as metrics:
            for number in range(first, last + 1):
                metrics.write(step(number), {"train/loss_nats": 4.0 / number})
        time.sleep(1.1)  # TensorBoard orders its files by the second in their name
    board = EventAccumulator(str(tmp_path / "boards"))
    board.Reload()
    events = board.Scalars("train/loss_nats")
    assert [event.step for event in events] == [1, 2, 3, 4, 5, 6]
    assert [event.value for event in events] == pytest.approx([4.0 / number for number in range(1, 7)])
    assert [line["step"] for line in read_metrics(tmp_path)] == [1, 2, 3, 4, 5, 6]


def test_a_line_that_a_kill_left_unfinished_is_cut_off_and_the_others_stay(tmp_path: Path) -> None:
    with Metrics(tmp_path, tmp_path / "boards", 0) as metrics:
        metrics.write(step(1), {})
    whole = (tmp_path / METRICS).read_bytes()
    (tmp_path / METRICS).write_bytes(whole + b'{"kind": "step", "st')
    with Metrics(tmp_path, tmp_path / "boards", 1) as metrics:
        metrics.sync()
        assert (tmp_path / METRICS).read_bytes() == whole
        assert not metrics.has("step", 2)


def test_a_kill_while_it_begins_loses_no_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Metrics(tmp_path, tmp_path / "boards", 0) as metrics:
        metrics.write(step(1), {})
    whole = (tmp_path / METRICS).read_bytes()
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        Metrics(tmp_path, tmp_path / "boards", 1)
    assert (tmp_path / METRICS).read_bytes() == whole


def test_a_disk_that_takes_no_more_curves_is_told_without_a_traceback_of_tensorboards_thread(
    tmp_path: Path, disk: Callable[[str], Path], capfd: pytest.CaptureFixture[str]
) -> None:
    boards = disk("64k") / "boards"
    before = threading.excepthook
    with Metrics(tmp_path, boards, 0) as metrics:
        for number in range(2000):
            metrics.mark("note", "." * 1000, number)
        metrics.sync()
        assert str(metrics.failed).startswith(f"{boards}: no space left on the device; free some and")
    assert threading.excepthook == before
    assert "Traceback" not in capfd.readouterr().err


def test_times_are_in_a_file_of_their_own_that_goes_back_likewise(tmp_path: Path) -> None:
    for first, last in ((1, 5), (4, 4)):
        with Metrics(tmp_path, tmp_path / "boards", first - 1) as metrics:
            for number in range(first, last + 1):
                metrics.write_speed({"kind": "speed", "step": number, "attempt": first}, {"train/step_s": 0.5})
    assert [(line["step"], line["attempt"]) for line in read_metrics(tmp_path, SPEED)] == [
        (1, 1),
        (2, 1),
        (3, 1),
        (4, 4),
    ]
    assert read_metrics(tmp_path) == []


def test_what_led_to_a_checkpoint_is_in_the_curves_although_the_run_is_killed_then(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    with Metrics(tmp_path, tmp_path / "boards", 0) as metrics:
        metrics.write(step(1), {"train/loss_nats": 4.0})
        metrics.sync()
        board = EventAccumulator(str(tmp_path / "boards"))
        board.Reload()
        assert [event.step for event in board.Scalars("train/loss_nats")] == [1]
