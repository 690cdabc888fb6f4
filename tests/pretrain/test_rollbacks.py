"""The list of what a run leaves out, and what follows from it for steps and samples."""

from __future__ import annotations

import hashlib
import math
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pretrain.course import Packing
from pretrain.planned_stage import PlannedStage
from pretrain.rollbacks import (
    ROLLBACKS,
    Rollback,
    add_rollback,
    is_undone,
    known_to,
    next_taken,
    read_rollbacks,
    read_undone,
    restore_rollbacks,
    samples_left_out,
    steps_before,
)
from pretrain.sample_plan import SamplePlan

STEPS, SEQUENCES = 60, 4
PLAN = SamplePlan(
    1,
    [PlannedStage(100, {"ja": 0.8, "en": 0.2}), PlannedStage(140, {"en": 1.0})],
    {"ja": {"4096": Packing("4096", 50, "a" * 64)}, "en": {"4096": Packing("4096", 30, "b" * 64)}},
)


def first_sample(step: int) -> int:
    return step * SEQUENCES


@st.composite
def rollbacks(draw: st.DrawFn) -> list[Rollback]:
    """Any stretches, also such as overlap or touch."""
    found = []
    for _ in range(draw(st.integers(0, 4))):
        first = draw(st.integers(0, STEPS - 1))
        end = draw(st.integers(first + 1, min(first + 12, STEPS)))
        found.append(Rollback(first, end, draw(st.integers(first, end - 1))))
    return found


def taken_steps(windows: list[Rollback]) -> list[int]:
    """The steps of a run as the loop goes through them."""
    taken, step = [], 0
    while (step := next_taken(windows, step)) < STEPS:
        taken.append(step)
        step += 1
    return taken


@given(rollbacks())
def test_a_run_takes_every_step_that_is_not_left_out_once_and_in_order(windows: list[Rollback]) -> None:
    left_out = {step for one in windows for step in range(one.first, one.end)}
    assert taken_steps(windows) == [step for step in range(STEPS) if step not in left_out]


@given(rollbacks(), st.integers(0, STEPS), st.integers(0, 20), st.integers(0, STEPS))
def test_so_many_taken_steps_come_before(windows: list[Rollback], step: int, count: int, floor: int) -> None:
    before = [one for one in taken_steps(windows) if floor <= one < step]
    first = steps_before(windows, step, count, floor)
    assert [one for one in before if one >= first] == before[max(0, len(before) - count) :]
    assert first >= min(floor, step)


@given(rollbacks(), st.integers(0, 240), st.integers(0, 240))
def test_trained_and_left_out_samples_are_all_samples_and_none_is_both(windows: list[Rollback], i: int, j: int) -> None:
    trained = [k for step in taken_steps(windows) for k in range(first_sample(step), first_sample(step + 1))]
    ranges = samples_left_out(windows, first_sample, i, j)
    left_out = [k for first, end in ranges for k in range(first, end)]
    assert sorted([*(k for k in trained if i <= k < j), *left_out]) == list(range(i, j))
    assert all(one[1] < other[0] for one, other in pairwise(ranges))


@pytest.mark.parametrize(
    ("windows", "ranges"),
    [
        pytest.param([(2, 4), (4, 6)], [(8, 24)], id="they touch"),
        pytest.param([(2, 4), (5, 6)], [(8, 16), (20, 24)], id="a step between"),
        pytest.param([(3, 6), (2, 8)], [(8, 32)], id="one within the other"),
    ],
)
def test_stretches_that_belong_together_are_one(windows: list[tuple[int, int]], ranges: list[tuple[int, int]]) -> None:
    assert samples_left_out([Rollback(*one, one[0]) for one in windows], first_sample, 0, 240) == ranges


@given(rollbacks(), st.integers(0, 240), st.integers(0, 240))
def test_the_digest_is_over_the_trained_samples(windows: list[Rollback], i: int, j: int) -> None:
    digest = hashlib.sha256()
    for step in taken_steps(windows):
        for k in (k for k in range(first_sample(step), first_sample(step + 1)) if i <= k < j):
            sample = PLAN.at(k)
            digest.update(f"{k}\t{sample.source}\t{sample.epoch}\t{sample.sequence}\n".encode())
    assert PLAN.digest(i, j, samples_left_out(windows, first_sample, i, j)) == digest.hexdigest()


@given(rollbacks())
def test_what_a_run_has_taken_of_each_source_is_without_what_was_left_out(windows: list[Rollback]) -> None:
    without = samples_left_out(windows, first_sample, 0, len(PLAN))
    counted = {"ja": 0, "en": 0}
    for step in taken_steps(windows):
        for k in range(first_sample(step), first_sample(step + 1)):
            counted[PLAN.at(k).source] += 1
    assert PLAN.taken(len(PLAN), without) == counted
    assert PLAN.epochs(without) == pytest.approx({"ja": counted["ja"] / 50, "en": counted["en"] / 30})


@pytest.mark.parametrize(
    ("step", "known", "undone"),
    [
        pytest.param(4, [], False, id="before it, exactly"),
        pytest.param(5, [], True, id="a step of it is learned"),
        pytest.param(9, [], True, id="behind it, made before it was gone back"),
        pytest.param(9, [Rollback(4, 8, 6)], False, id="behind it, made since"),
        pytest.param(9, [Rollback(4, 8, 7)], True, id="made since another one"),
    ],
)
def test_which_states_are_undone(step: int, known: list[Rollback], undone: bool) -> None:
    assert is_undone([Rollback(4, 8, 6)], step, known) is undone


def test_what_is_written_is_read_back_also_numbers_that_are_none(tmp_path: Path) -> None:
    one, other = Rollback(4, 8, 6), Rollback(3, 11, 8)
    assert read_rollbacks(tmp_path) == []
    assert read_undone(tmp_path) == []
    add_rollback(tmp_path, one, [{"kind": "step", "step": 5, "loss_nats": math.nan}])
    add_rollback(tmp_path, other, [{"kind": "step", "step": 4, "loss_nats": 2.5}])
    assert read_rollbacks(tmp_path) == [one, other]
    first, second = read_undone(tmp_path)
    assert math.isnan(first["loss_nats"])
    assert second == {"kind": "step", "step": 4, "loss_nats": 2.5}
    assert known_to({"rollbacks": [one.to_json(), other.to_json()]}) == [one, other]
    assert known_to({}) == []  # a checkpoint from before there were rollbacks


def test_only_what_was_lost_is_written_again(tmp_path: Path) -> None:
    one, other = Rollback(4, 8, 6), Rollback(3, 11, 8)
    add_rollback(tmp_path, one, [{"step": 5}])
    assert restore_rollbacks(tmp_path, [one, other]) == [one, other]
    assert read_rollbacks(tmp_path) == [one, other]
    assert read_undone(tmp_path) == [{"step": 5}]
    before = (tmp_path / ROLLBACKS).stat().st_mtime_ns
    assert restore_rollbacks(tmp_path, [one]) == [one, other]
    assert (tmp_path / ROLLBACKS).stat().st_mtime_ns == before
