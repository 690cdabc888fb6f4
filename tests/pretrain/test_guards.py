"""Steps that are not taken: spikes, and numbers that are none."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from contextlib import nullcontext

import numpy as np
import pytest

from configs.errors import UserError
from configs.schema.guards import Guards
from configs.schema.run import Run
from pretrain.engines.base import StepSums
from pretrain.guards import GoBackError, Guard
from pretrain.job import Progressed
from pretrain.metrics_file import read_metrics
from pretrain.rollbacks import Rollback
from pretrain.stage import checkpoints_dir
from pretrain.train import train
from tests.pretrain.test_train import files_of

MakeRun = Callable[..., Run]
USUAL = [(2.0, 1.0), (4.0, 3.0)]  # means 3 and 2, standard deviations 1 and 1


@pytest.mark.parametrize(
    ("loss", "grad_norm", "allowed"),
    [
        pytest.param(5.0, 4.0, True, id="both exactly on the bound"),
        pytest.param(math.nextafter(5.0, 9), 4.0, False, id="loss just above"),
        pytest.param(5.0, math.nextafter(4.0, 9), False, id="gradient norm just above"),
        pytest.param(0.0, 0.0, True, id="far below is no spike"),
        pytest.param(math.nan, 1.0, False, id="a loss that is no number"),
        pytest.param(3.0, math.inf, False, id="an infinite gradient"),
    ],
)
def test_above_so_many_standard_deviations_is_a_spike(loss: float, grad_norm: float, allowed: bool) -> None:
    guard = Guard(Guards(spike_sigmas=2, spike_window=2), Progressed(recent=list(USUAL)))
    assert guard.limits(new_stage=False).allow(grad_norm, loss * 8, 8) is allowed


def test_nothing_is_judged_before_the_window_is_full_nor_in_a_new_stage() -> None:
    guard = Guard(Guards(spike_sigmas=2, spike_window=3), Progressed(recent=list(USUAL)))
    assert guard.limits(new_stage=False).allow(1e4, 1e9, 1)
    full = Guard(Guards(spike_sigmas=2, spike_window=2), Progressed(recent=list(USUAL)))
    assert full.limits(new_stage=True).allow(1e4, 1e9, 1)
    assert full.limits(new_stage=False).allow(1e4, 1e9, 1)


def test_the_fixed_bound_of_the_gradient_norm_holds_besides() -> None:
    guard = Guard(Guards(spike_sigmas=2, spike_window=2, max_grad_norm=3.5), Progressed(recent=list(USUAL)))
    assert guard.limits(new_stage=False).grad_norm == 3.5


def test_only_steps_that_were_taken_say_what_is_usual() -> None:
    done = Progressed()
    guard = Guard(Guards(spike_sigmas=2, spike_window=2), done)
    for nll, skipped in ((2.0, False), (99.0, True), (3.0, False), (4.0, False)):
        guard.check(1, StepSums(nll, 1, nll, skipped), guard.limits(new_stage=False))
    assert done.recent == [(3.0, 3.0), (4.0, 4.0)]
    assert done.skipped == 1


def skips(guard: Guard, *skipped: bool) -> None:
    for one in skipped:
        guard.check(1, StepSums(9.0, 1, 9.0, one), guard.limits(new_stage=False))


@pytest.mark.parametrize(
    ("skipped", "goes_back"),
    [
        pytest.param([True, True, True], True, id="as many in a row as it takes"),
        pytest.param([True, True], False, id="one less"),
        pytest.param([True, True, False, True, True], False, id="with a taken step between"),
        pytest.param([True, False, True, True, True], True, id="after a taken step"),
    ],
)
def test_so_many_skipped_steps_in_a_row_go_back(skipped: list[bool], goes_back: bool) -> None:
    guard = Guard(Guards(rollback_after=3), Progressed())
    skips(guard, *skipped[:-1])
    with pytest.raises(GoBackError) if goes_back else nullcontext():
        skips(guard, skipped[-1])


def test_a_row_does_not_reach_over_the_beginning_of_a_stage() -> None:
    done = Progressed()
    guard = Guard(Guards(rollback_after=3), done)
    skips(guard, True, True)
    guard.limits(new_stage=True)
    skips(guard, True, True)
    assert done.skipped == 4
    with pytest.raises(GoBackError):
        skips(guard, True)


@pytest.mark.parametrize(("made", "goes_back"), [(1, True), (2, False)])
def test_so_many_rollbacks_and_no_more(made: int, goes_back: bool) -> None:
    done = Progressed(rollbacks=[Rollback(k, k + 1, k) for k in range(made)])
    guard = Guard(Guards(rollback_after=1, max_rollbacks=2), done)
    with pytest.raises(GoBackError if goes_back else UserError):
        skips(guard, True)


@pytest.mark.parametrize(
    ("skipped", "stops"),
    [
        pytest.param([True, True, True], False, id="a row that goes on is not counted"),
        pytest.param([True, True, True, False], True, id="it is once it has ended"),
        pytest.param([True, True, False, True, True], False, id="of two rows only the first"),
    ],
)
def test_where_a_row_may_be_undone_it_counts_when_it_has_ended(skipped: list[bool], stops: bool) -> None:
    guard = Guard(Guards(rollback_after=4, max_skipped=2), Progressed())
    with pytest.raises(UserError, match="3 steps were skipped, max_skipped is 2") if stops else nullcontext():
        skips(guard, *skipped)


def test_progress_comes_back_from_json() -> None:
    done = Progressed(7, 5, 900, 2, [(2.5, 1.5)], 1, [Rollback(1, 4, 2)])
    assert Progressed.from_json(json.loads(json.dumps(done.to_json()))) == done
    before = {name: 1 for name in ("step", "adam_steps", "labelled", "skipped")}
    assert Progressed.from_json(before) == Progressed(1, 1, 1, 1)


def test_in_a_run_the_steps_above_the_bound_are_skipped_and_a_resumed_run_skips_the_same(packed: MakeRun) -> None:
    run = packed("pretrain.guards={spike_sigmas: 0.3, spike_window: 3, max_skipped: 12}")
    train(run)
    root = checkpoints_dir(run)
    recent: list[tuple[float, float]] = []
    skipped = []
    for line in (line for line in read_metrics(root) if line["kind"] == "step"):
        now = (line["loss_nats"], line["grad_norm"])
        bound = np.mean(recent[-3:], axis=0) + 0.3 * np.std(recent[-3:], axis=0) if len(recent) >= 3 else math.inf
        assert line["skipped"] is bool(np.any(np.array(now) > bound)), line
        skipped.append(line["skipped"])
        if not line["skipped"]:
            recent.append(now)
    assert 0 < sum(skipped) < 9
    undisturbed = files_of(root)
    (root / "manifest.json").unlink()
    shutil.rmtree(root / "step-00000012")
    train(run)  # from step 8 on
    assert files_of(root) == undisturbed


def test_a_learning_rate_that_breaks_the_model_ends_with_the_reason(
    packed: MakeRun, caplog: pytest.LogCaptureFixture
) -> None:
    run = packed("pretrain.optim.lr=1e+30", "pretrain.optim.warmup_tokens=0", "pretrain.guards.max_skipped=3")
    with pytest.raises(UserError, match=r"pretrain\.guards: 4 steps were skipped, max_skipped is 3; the learning rate"):
        train(run)
    assert [line["skipped"] for line in read_metrics(checkpoints_dir(run)) if line["kind"] == "step"] == [
        False,
        *[True] * 4,
    ]
    assert "step 2 skipped: gradient norm nan, at most 10000 is allowed; loss " in caplog.text
