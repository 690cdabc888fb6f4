"""What a finished run says of its tokens is what sample after sample of its order adds up to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from configs.schema.run import Run
from pretrain.job import Job
from pretrain.pack import pack_tokens
from pretrain.summary import tokens_by_source

STAGES = (
    "pretrain.stages.all={tokens: 1024, mixture: {inhouse: 0.8, english: 0.2}}",
    "pretrain.stages.long={tokens: 1024, seq_len: 128, mixture: {inhouse: 1}}",
)


@pytest.mark.parametrize(
    "without",
    [
        pytest.param([], id="nothing left out"),
        pytest.param([(4, 8)], id="a step"),
        pytest.param([(0, 2), (14, 19)], id="the beginning, and over the border of the stages"),
    ],
)
def test_tokens_of_a_source_are_those_of_its_samples(
    packed: Callable[..., Run], without: list[tuple[int, int]]
) -> None:
    run = packed(*STAGES)
    pack_tokens(run)
    job = Job.prepare(run, 1)
    expected: Counter[str] = Counter()
    for stage in job.stages:
        for i in range(job.samples(stage.first), job.samples(stage.end)):
            if not any(first <= i < end for first, end in without):
                expected[job.plan.at(i).source] += stage.batching.seq_len
    assert tokens_by_source(job, without) == expected
