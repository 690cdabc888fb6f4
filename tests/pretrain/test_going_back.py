"""Runs that meet poisoned samples, go back, and leave them out."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from configs.artifact import Artifact
from configs.errors import UserError
from configs.schema.run import Run
from pretrain import step
from pretrain.checkpoint.directory import complete, step_of
from pretrain.metrics_file import SPEED, read_metrics
from pretrain.rollbacks import ROLLBACKS, Rollback, add_rollback, read_rollbacks, read_undone
from pretrain.schedule import share_in_stage
from pretrain.stage import checkpoints_dir
from pretrain.train import train
from tests.pretrain.poison import GUARDS, LARGEST_USUAL_NORM, LEFT_OUT, POISON, lines_of, poisoned, trained_with_poison
from tests.pretrain.test_train import files_of

MakeRun = Callable[..., Run]


def test_the_poisoned_steps_and_those_before_are_left_out_and_the_others_are_trained(gone_back: Run) -> None:
    assert read_rollbacks(checkpoints_dir(gone_back)) == [LEFT_OUT]
    steps = lines_of(gone_back, "step")
    assert [line["step"] for line in steps] == [1, 2, 3, 4, 9, 10, 11, 12]
    assert not any(line["skipped"] for line in steps)
    counts = Artifact.open(checkpoints_dir(gone_back)).counts
    assert counts["rollbacks"] == [{"steps": [5, 8], "skipped_from": 6}]
    assert counts["skipped_steps"] == 0
    assert counts["tokens_trained"] == sum(line["labelled"] for line in steps)
    assert sum(counts["sequences"].values()) == 32


def test_what_was_measured_of_undone_steps_is_kept_where_they_are_recorded(gone_back: Run) -> None:
    undone = read_undone(checkpoints_dir(gone_back))
    assert [(line["kind"], line["step"]) for line in undone] == [
        ("step", 5),
        ("step", 6),
        ("evaluation", 6),
        ("step", 7),
        ("step", 8),
    ]
    assert [line["skipped"] for line in undone if line["kind"] == "step"] == [False, True, True, True]
    assert [line["step"] for line in lines_of(gone_back, "evaluation")] == [0, 0, 12]
    speeds = read_metrics(checkpoints_dir(gone_back), SPEED)
    assert [line["step"] for line in speeds] == sorted(line["step"] for line in speeds)


def test_metrics_say_where_it_went_back_and_the_digest_of_the_order_is_of_what_was_trained(gone_back: Run) -> None:
    assert lines_of(gone_back, "rollback") == [
        {
            "kind": "rollback",
            "step": 8,
            "number": 1,
            "steps": [5, 8],
            "skipped_from": 6,
            "tokens": [1024, 2048],
            "samples": [16, 32],
        }
    ]
    [order] = lines_of(gone_back, "order")
    assert (order["samples"], order["without"]) == ([0, 48], [[16, 32]])


def test_the_rates_go_on_with_the_number_of_the_step(gone_back: Run, trained: Run) -> None:
    usual = {line["step"]: line["lr"] for line in lines_of(trained, "step")}
    assert all(line["lr"] == usual[line["step"]] for line in lines_of(gone_back, "step"))


def test_before_the_trouble_it_is_the_run_without_poison(gone_back: Run, trained: Run) -> None:
    assert lines_of(gone_back, "step")[:4] == lines_of(trained, "step")[:4]


def test_it_is_the_same_bytes_as_a_run_in_which_the_steps_were_left_out_from_the_start(
    gone_back: Run, packed: MakeRun
) -> None:
    run = packed(GUARDS)
    add_rollback(checkpoints_dir(run), LEFT_OUT, read_undone(checkpoints_dir(gone_back)))
    with poisoned(POISON) as asked:
        train(run)
    assert files_of(checkpoints_dir(run)) == files_of(checkpoints_dir(gone_back))
    # The step after the last one that is taken may be prepared ahead.
    assert {5, 6, 7}.isdisjoint(asked)


@pytest.mark.parametrize(
    "checkpoint",
    [
        "{every_steps: 1, keep_last: 1}",
        pytest.param("{every_steps: 3, keep_last: 9}", marks=pytest.mark.slow),
        pytest.param("{every_steps: 12}", id="none but the last"),
        pytest.param("{every_steps: 2, keep_last: 1, asynchronous: false}", marks=pytest.mark.slow),
    ],
)
def test_which_checkpoints_there_are_changes_nothing(gone_back: Run, packed: MakeRun, checkpoint: str) -> None:
    run = trained_with_poison(packed(GUARDS, f"pretrain.checkpoint={checkpoint}"))
    assert files_of(checkpoints_dir(run)) == files_of(checkpoints_dir(gone_back))
    assert not list(checkpoints_dir(run).glob("*.*-*"))
    assert not list(checkpoints_dir(run).glob("*.undone"))


@pytest.mark.parametrize(
    ("after", "rollbacks"),
    [pytest.param(3, 1, id="as many as are poisoned"), pytest.param(4, 0, id="one more than are poisoned")],
)
def test_fewer_skipped_steps_in_a_row_are_only_skipped(packed: MakeRun, after: int, rollbacks: int) -> None:
    guards = f"pretrain.guards={{max_grad_norm: {LARGEST_USUAL_NORM}, rollback_after: {after}, rollback_steps: 1}}"
    run = trained_with_poison(packed(guards))
    assert len(read_rollbacks(checkpoints_dir(run))) == rollbacks
    assert sum(line["skipped"] for line in lines_of(run, "step")) == (0 if rollbacks else 3)
    assert (checkpoints_dir(run) / ROLLBACKS).exists() is bool(rollbacks)


def test_trouble_that_goes_on_ends_the_run_and_with_a_larger_budget_it_goes_back_further(packed: MakeRun) -> None:
    run = packed(GUARDS, "pretrain.guards.max_rollbacks=1")
    with poisoned(range(5, 11)), pytest.raises(UserError) as raised:
        train(run)
    assert str(raised.value) == (
        "pretrain.guards: the steps 9 to 11 were skipped one after the other, and training has gone back 1 time(s) "
        "already, max_rollbacks is 1; the learning rate may be too high, or much of the data broken "
        "(rollbacks.jsonl has the steps)"
    )
    run = packed(GUARDS, "pretrain.guards.max_rollbacks=2")
    with poisoned(range(5, 11)):
        train(run)
    assert read_rollbacks(checkpoints_dir(run)) == [LEFT_OUT, Rollback(3, 11, 8)]
    assert [line["step"] for line in lines_of(run, "step")] == [1, 2, 3, 12]
    assert [(line["step"], line["number"]) for line in lines_of(run, "rollback")] == [(8, 1), (11, 2)]
    assert [line["without"] for line in lines_of(run, "order")] == [[[12, 44]]]


@pytest.mark.slow
def test_a_row_that_may_still_be_undone_does_not_stop_the_run_before(packed: MakeRun) -> None:
    run = trained_with_poison(packed(GUARDS, "pretrain.guards.max_skipped=0"))
    assert read_rollbacks(checkpoints_dir(run)) == [LEFT_OUT]
    with poisoned(range(5, 7)), pytest.raises(UserError, match="2 steps were skipped, max_skipped is 1"):
        train(packed(GUARDS, "pretrain.guards.max_skipped=1", f"run.dir={run.run.dir}-2"))
    raised = packed(GUARDS, "pretrain.guards.max_skipped=2", f"run.dir={run.run.dir}-2")
    with poisoned(range(5, 7)):
        train(raised)
    assert sum(line["skipped"] for line in lines_of(raised, "step")) == 2


def test_weights_that_went_bad_are_those_of_before_again(packed: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rate of one step is far too high; the samples are as they should be, and skipping them would never end."""
    shares = share_in_stage

    def once_too_high(*arguments: Any) -> float:
        seen = arguments[4]
        return shares(*arguments) * (1e4 if seen == 9 * 256 else 1)

    monkeypatch.setattr(step, "share_in_stage", once_too_high)
    usual = ("pretrain.stages.all.tokens=5632", "pretrain.optim.lr=1e-3")
    guards = "spike_sigmas: 6, spike_window: 6"
    with pytest.raises(UserError, match="11 steps were skipped, max_skipped is 10"):
        train(packed(*usual, f"pretrain.guards={{{guards}}}"))
    run = packed(
        *usual, f"pretrain.guards={{{guards}, rollback_after: 3, rollback_steps: 2}}", f"run.dir={packed().run.dir}-2"
    )
    train(run)
    assert read_rollbacks(checkpoints_dir(run)) == [Rollback(8, 13, 10)]
    steps = lines_of(run, "step")
    assert [line["step"] for line in steps] == [*range(1, 9), *range(14, 23)]
    assert max(line["loss_nats"] for line in steps[8:]) < steps[7]["loss_nats"] + 0.1


def test_behind_a_gap_a_row_begins_anew(packed: MakeRun) -> None:
    run = packed(GUARDS.replace("rollback_after: 3", "rollback_after: 2"))
    with poisoned([3, 5, 6, 7]):
        train(run)
    assert read_rollbacks(checkpoints_dir(run)) == [Rollback(4, 7, 5)]
    assert [line["step"] for line in lines_of(run, "step") if line["skipped"]] == [4, 8]


def test_a_stage_that_begins_with_a_gap_is_judged_by_its_own_steps(packed: MakeRun) -> None:
    stages = (
        "pretrain.stages={rows: {tokens: 1024, mixture: {inhouse: 1}, train: new_rows},"
        " all: {tokens: 2048, mixture: {inhouse: 1, english: 1}}}"
    )
    run = packed(stages, "pretrain.guards={spike_sigmas: 0.1, spike_window: 3, max_skipped: 99}")
    add_rollback(checkpoints_dir(run), Rollback(4, 6, 4), [])
    train(run)
    judged = {line["step"]: line["skipped"] for line in lines_of(run, "step")}
    assert list(judged) == [1, 2, 3, 4, *range(7, 13)]
    assert [judged[step] for step in (7, 8, 9)] == [False] * 3


@pytest.mark.slow
def test_a_stage_before_is_not_gone_back_into(packed: MakeRun) -> None:
    stages = (
        "pretrain.stages={rows: {tokens: 1024, mixture: {inhouse: 1}, train: new_rows},"
        " all: {tokens: 2048, mixture: {inhouse: 1, english: 1}}}"
    )
    run = packed(GUARDS.replace("rollback_steps: 1", "rollback_steps: 3"), stages)
    trained_with_poison(run)
    root = checkpoints_dir(run)
    assert read_rollbacks(root) == [LEFT_OUT]
    declared = packed(GUARDS.replace("rollback_steps: 1", "rollback_steps: 3"), stages, f"run.dir={run.run.dir}-2")
    add_rollback(checkpoints_dir(declared), LEFT_OUT, read_undone(root))
    trained_with_poison(declared)
    assert files_of(checkpoints_dir(declared)) == files_of(root)


def test_trouble_in_the_last_steps_ends_with_the_state_of_before(packed: MakeRun, trained: Run) -> None:
    run = packed(GUARDS)
    with poisoned(range(9, 12)):
        train(run)
    root = checkpoints_dir(run)
    assert read_rollbacks(root) == [Rollback(8, 12, 9)]
    assert weights(root / "step-00000012") == weights(checkpoints_dir(trained) / "step-00000008")
    assert [line["step"] for line in lines_of(run, "evaluation")] == [0, 0, 6, 12]


def weights(checkpoint: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in checkpoint.glob("*.safetensors")}


def test_a_checkpoint_to_go_back_to_that_was_taken_away_is_missed_before_anything_changes(packed: MakeRun) -> None:
    run = packed(GUARDS, "pretrain.checkpoint={every_steps: 2, keep_last: 9}")
    with poisoned(range(5, 7)):
        train(run)
    root = checkpoints_dir(run)
    (root / "manifest.json").unlink()
    for checkpoint in complete(root):
        if step_of(checkpoint) != 6:
            shutil.rmtree(checkpoint)
    with poisoned(POISON), pytest.raises(UserError, match=r"wrong at step 6 and there is no checkpoint of step 4 or"):
        train(run)
    assert not (root / ROLLBACKS).exists()


@pytest.mark.slow
def test_a_lost_list_is_written_again_from_the_checkpoint(gone_back: Run, packed: MakeRun) -> None:
    run = trained_with_poison(packed(GUARDS))
    root = checkpoints_dir(run)
    before = files_of(root)
    (root / "manifest.json").unlink()
    (root / ROLLBACKS).unlink()
    shutil.rmtree(root / "step-00000012")
    with poisoned(POISON):
        train(run)
    after = files_of(root)
    assert {name for name in before if before[name] != after[name]} == {ROLLBACKS, "manifest.json"}
    assert read_rollbacks(root) == [LEFT_OUT]


def test_it_is_told_on_the_console_and_in_tensorboard(packed: MakeRun, caplog: pytest.LogCaptureFixture) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run = trained_with_poison(packed(GUARDS))
    assert (
        "going back: the steps 6 to 8 were skipped one after the other; training goes on from step 4 and leaves out "
        "the steps 5 to 8 (samples 16 to 31)"
    ) in caplog.text
    board = EventAccumulator(str(run.run.dir / "tensorboard"))
    board.Reload()
    assert [(event.step, event.value) for event in board.Scalars("train/rollbacks")] == [(8, 1.0)]
    [mark] = board.Tensors("rollback/text_summary")
    assert mark.step == 8
    assert mark.tensor_proto.string_val == [b"steps 5 to 8 left out, since 6 to 8 were skipped in a row"]
    assert [event.step for event in board.Scalars("train/loss_nats")] == [1, 2, 3, 4, 9, 10, 11, 12]
