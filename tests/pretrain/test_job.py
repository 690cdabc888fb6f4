from __future__ import annotations

from collections.abc import Callable

import pytest

from configs.errors import UserError
from configs.schema.run import Run
from pretrain.job import Job

MakeRun = Callable[..., Run]


def job(run: Run, world_size: int = 1) -> Job:
    return Job.prepare(run, world_size)


@pytest.mark.parametrize("processes", [1, 2, 4])
def test_a_step_is_shared_among_processes_that_divide_it(packed: MakeRun, processes: int) -> None:
    assert job(packed(), processes).steps == 12


@pytest.mark.parametrize(
    ("processes", "micro_batch"),
    [
        pytest.param(3, 1, id="three of four sequences"),
        pytest.param(4, 2, id="half a forward pass"),
        pytest.param(8, 1, id="more processes than sequences"),
    ],
)
def test_a_number_of_processes_that_does_not_divide_a_step_is_refused(
    packed: MakeRun, processes: int, micro_batch: int
) -> None:
    run = packed(f"pretrain.micro_batch={micro_batch}")
    with pytest.raises(UserError) as raised:
        job(run, processes)
    assert str(raised.value) == (
        "stage 'all': a step of 4 sequences (batch_tokens 256 / seq_len 64) cannot be shared evenly among "
        f"{processes} data ranks with {micro_batch} sequence(s) in a forward pass; change pretrain.batch_tokens, "
        "pretrain.micro_batch or the number of processes"
    )


def test_processes_that_hold_no_whole_model_are_refused(packed: MakeRun) -> None:
    run = packed("pretrain.engine=megatron", "pretrain.parallel={tensor: 2, pipeline: 2, processes: 4}")
    assert job(run, 4).steps == 12
    with pytest.raises(UserError, match=r"6 process\(es\) cannot hold whole models of .* = 4 processes"):
        job(run, 6)
