"""Micro-batches that are ready before they are asked for."""

from __future__ import annotations

import threading

import pytest
import torch

from pretrain.micro_batch import MicroBatch
from pretrain.prefetch import Prefetch

WAIT_S = 60


def batch(step: int) -> MicroBatch:
    """One that shows its step."""
    numbers = torch.tensor([step])
    return MicroBatch(numbers, numbers, numbers, torch.tensor([0, 1], dtype=torch.int32), numbers)


class Preparing:
    """Prepares steps and notes which; one of them fails."""

    def __init__(self, fails: int | None = None) -> None:
        self.fails, self.prepared = fails, list[int]()
        self.done = {step: threading.Event() for step in range(9)}

    def __call__(self, step: int) -> list[MicroBatch]:
        self.prepared.append(step)
        self.done[step].set()
        if step == self.fails:
            raise ValueError(f"step {step} is broken")
        return [batch(step)]


def taken(prefetch: Prefetch, step: int) -> int:
    """Which step's micro-batches come when this one is asked for."""
    (one,) = prefetch.take(step)
    return int(one.tokens_T[0])


def test_every_step_comes_once_in_order_and_none_after_the_end() -> None:
    prepare = Preparing()
    with Prefetch(prepare, end=4) as prefetch:
        assert [taken(prefetch, step) for step in range(4)] == [0, 1, 2, 3]
    assert prepare.prepared == [0, 1, 2, 3]


def test_the_next_step_is_prepared_before_anybody_asks() -> None:
    prepare = Preparing()
    with Prefetch(prepare, end=4) as prefetch:
        taken(prefetch, 0)
        assert prepare.done[1].wait(WAIT_S)
        assert not prepare.done[2].is_set()


def test_a_run_that_goes_back_or_leaves_steps_out_gets_what_it_asks_for() -> None:
    with Prefetch(Preparing(), end=9) as prefetch:
        assert [taken(prefetch, step) for step in (3, 4, 2, 3, 7, 7)] == [3, 4, 2, 3, 7, 7]


def test_an_error_comes_whole_with_the_step_that_has_it() -> None:
    with Prefetch(Preparing(fails=2), end=4) as prefetch:
        assert [taken(prefetch, step) for step in range(2)] == [0, 1]
        with pytest.raises(ValueError, match="step 2 is broken") as raised:
            prefetch.take(2)
    assert [entry.name for entry in raised.traceback][-1] == "__call__"


def test_an_interrupt_leaves_no_thread_behind() -> None:
    before = threading.active_count()
    prefetch = Prefetch(Preparing(), end=4)

    def interrupted() -> None:
        with prefetch:
            prefetch.take(0)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert threading.active_count() == before
