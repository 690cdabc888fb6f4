"""What a run says of its kernel, and that it ends before the first step where the one it names cannot be used."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from configs.errors import UserError
from configs.journal import JOURNAL
from configs.schema.run import Run
from pretrain.metrics_file import METRICS, SPEED
from pretrain.stage import checkpoints_dir
from pretrain.train import train

MakeRun = Callable[..., Run]


def test_the_kernel_is_in_the_journal_and_beside_every_speed(trained: Run) -> None:
    root = checkpoints_dir(trained)
    speeds = [json.loads(line) for line in (root / SPEED).read_text().splitlines()]
    assert {line["attention"] for line in speeds} == {"sdpa"}
    events = [json.loads(line) for line in (root / JOURNAL).read_text().splitlines()]
    [told] = [event for event in events if event["event"] == "attention"]
    assert (told["kernel"], told["passed_over"]) == ("sdpa", {})


@pytest.mark.parametrize(
    ("kernel", "says"),
    [
        ("varlen", "it runs on CUDA, not on cpu"),
        ("flash_attn", "the package flash_attn is not installed"),
        ("flex", "it raises NotImplementedError"),
    ],
)
def test_a_kernel_that_cannot_be_used_ends_the_run_before_anything_is_trained(
    packed: MakeRun, kernel: str, says: str
) -> None:
    run = packed(f"pretrain.attention={kernel}")
    with pytest.raises(UserError, match=f"pretrain.attention: '{kernel}' cannot be used: {says}"):
        train(run)
    assert (checkpoints_dir(run) / METRICS).read_text() == ""


def test_the_kernel_may_change_between_two_starts(trained: Run, packed: MakeRun) -> None:
    assert trained.digested() == packed("pretrain.attention=varlen", f"run.dir={trained.run.dir}").digested()
