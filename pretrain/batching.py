"""How the samples of each stage become optimizer steps; light, so that a trace need not wait for torch."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from configs.schema.pretrain import Pretrain


@dataclass(frozen=True)
class Batching:
    """How the samples of a stage become optimizer steps."""

    first_step: int
    first_sample: int
    sequences: int
    """Of an optimizer step, over all ranks."""
    micro_batch: int
    """Sequences of a forward pass."""
    seq_len: int


def batchings(settings: Pretrain) -> list[Batching]:
    """Of all stages, in order."""
    found, step, sample = [], 0, 0
    for stage in settings.stages.values():
        steps, sequences = settings.steps_in(stage), settings.sequences_in(stage)
        found.append(Batching(step, sample, sequences, settings.micro_batch_in(stage), settings.seq_len_in(stage)))
        step, sample = step + steps, sample + steps * sequences
    return found


def step_of(stages: Sequence[Batching], sample: int) -> tuple[int, int]:
    """Number of the stage (from 0) and of the optimizer step (from 0) that trains a sample."""
    number = bisect_right([stage.first_sample for stage in stages], sample) - 1
    stage = stages[number]
    return number, stage.first_step + (sample - stage.first_sample) // stage.sequences
