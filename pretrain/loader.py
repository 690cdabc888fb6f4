"""From sequences to micro-batches.

Shapes: T positions of a micro-batch.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence

import numpy as np
import torch

from pretrain.batching import Batching
from pretrain.micro_batch import NO_LABEL, MicroBatch
from pretrain.packed_source import PackedSequences, Stretch
from pretrain.sample_plan import SamplePlan

Row = tuple[list[Stretch], int]
"""The stretches of one sequence, and the number of their source."""


def to_micro_batch(rows: Sequence[Row], seq_len: int, padding: int) -> MicroBatch:
    """Lay sequences behind each other; what a sequence lacks of `seq_len` is padding without labels.

    Args:
        padding: token of the padding; it is in a document of its own, so it changes nothing.
    """
    total = seq_len * len(rows)
    tokens_T = np.full(total, padding, np.int64)
    labels_T = np.full(total, NO_LABEL, np.int64)
    positions_T = np.zeros(total, np.int64)
    source_T = np.zeros(total, np.int64)
    bounds = [0]
    for number, (stretches, source) in enumerate(rows):
        at = number * seq_len
        source_T[at : at + seq_len] = source
        for stretch in stretches:
            length = len(stretch.tokens) - 1
            tokens_T[at : at + length] = stretch.tokens[:-1]
            labels_T[at : at + length] = stretch.tokens[1:]
            positions_T[at : at + length] = np.arange(length)
            at += length
            bounds.append(at)
        if at < (number + 1) * seq_len:
            positions_T[at : (number + 1) * seq_len] = np.arange((number + 1) * seq_len - at)
            bounds.append((number + 1) * seq_len)
    return MicroBatch(
        torch.from_numpy(tokens_T),
        torch.from_numpy(labels_T),
        torch.from_numpy(positions_T),
        torch.tensor(bounds, dtype=torch.int32),
        torch.from_numpy(source_T),
    )


class Loader:
    """Gives each data rank its micro-batches of each step.

    Args:
        sources: packed sequences by source and packing; the order of the sources numbers them in the batches.
        stages: in order, the first from step 0 on.
    """

    def __init__(
        self,
        plan: SamplePlan,
        sources: Mapping[str, Mapping[str, PackedSequences]],
        stages: Sequence[Batching],
        padding: int,
    ) -> None:
        self._plan, self._sources, self._stages, self._padding = plan, sources, stages, padding
        self._number = {name: number for number, name in enumerate(sources)}
        self._first_steps = [stage.first_step for stage in stages]

    def first_sample(self, step: int) -> int:
        """Number of the first sample of optimizer step `step`, and so of the samples before it."""
        stage = self._stage(step)
        return stage.first_sample + (step - stage.first_step) * stage.sequences

    def micro_batches(self, step: int, data_rank: tuple[int, int]) -> list[MicroBatch]:
        """This rank's part of optimizer step `step` (from 0): consecutive samples, the same for any cutting."""
        rank, ranks = data_rank
        stage = self._stage(step)
        share = stage.sequences // ranks
        # A rest would be left out of training; the job refuses such a number of ranks.
        assert share * ranks == stage.sequences
        first = self.first_sample(step) + rank * share
        rows = [self._row(i) for i in range(first, first + share)]
        return [
            to_micro_batch(rows[at : at + stage.micro_batch], stage.seq_len, self._padding)
            for at in range(0, share, stage.micro_batch)
        ]

    def _stage(self, step: int) -> Batching:
        return self._stages[bisect_right(self._first_steps, step) - 1]

    def _row(self, i: int) -> Row:
        sample = self._plan.at(i)
        return self._sources[sample.source][sample.packing].sequence(sample.sequence), self._number[sample.source]
