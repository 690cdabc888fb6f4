"""Which sequence is the i-th of a run: a pure function, the same for any number of ranks and any engine.

The mixture comes in blocks of fixed length in which every source has its exact share, spread evenly. Each source has
a cursor that goes on across blocks and stages; its epochs are keyed permutations, computed and never stored. So the
order up to a sample depends on the seed, the stages up to its own, and the digests of the sources in them: a run
that is extended, or gets a further stage or source later, keeps its past.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from pretrain.permutation import permuted

VERSION = 1
"""Raised when the same arguments would give another order."""

BLOCK = 4096
"""Samples of a block; a weight below half of 1/BLOCK cannot be met."""


@dataclass(frozen=True)
class PlannedStage:
    """A stretch of samples with one mixture."""

    samples: int
    weights: Mapping[str, float]
    """Weight of each source; need not add up to 1."""


@dataclass(frozen=True)
class PackedSource:
    """What the plan must know of a source."""

    sequences: int
    digest: str
    """Of the packed index: another packing is another order."""


@dataclass(frozen=True)
class Sample:
    """One sequence of one source in one of its epochs."""

    source: str
    epoch: int
    sequence: int


class SamplePlan:
    """The order of a run.

    Args:
        stages: in order; only the last may grow later.
        sources: by name, at least those the stages mix.
    Raises:
        ValueError: if a source has no sequences, or so small a weight that a block has no place for it.
    """

    def __init__(self, seed: int, stages: Sequence[PlannedStage], sources: Mapping[str, PackedSource]) -> None:
        self._seed, self._sources = seed, sources
        self._stages = [_Block(stage.weights) for stage in stages]
        for block in self._stages:
            for name, count in block.counts.items():
                if sources[name].sequences == 0:
                    raise ValueError(f"source {name!r} has no sequences")
                if count == 0:
                    raise ValueError(f"the weight of source {name!r} is below {0.5 / BLOCK:.6f} of the mixture")
        self._starts = np.concatenate(([0], np.cumsum([stage.samples for stage in stages])))

    def __len__(self) -> int:
        return int(self._starts[-1])

    def at(self, i: int) -> Sample:
        """The i-th sample, in constant time and memory."""
        if not 0 <= i < len(self):
            raise IndexError(i)
        stage = int(np.searchsorted(self._starts, i, side="right")) - 1
        name, cursor = self._stages[stage].at(i - int(self._starts[stage]))
        cursor += sum(self._taken(earlier, name) for earlier in range(stage))
        source = self._sources[name]
        epoch, place = divmod(cursor, source.sequences)
        return Sample(name, epoch, permuted(place, source.sequences, self._key(name, epoch)))

    def digest(self, i: int, j: int) -> str:
        """SHA-256 over the samples [i, j): equal digests mean equal order."""
        digest = hashlib.sha256()
        for k in range(i, j):
            sample = self.at(k)
            digest.update(f"{k}\t{sample.source}\t{sample.epoch}\t{sample.sequence}\n".encode())
        return digest.hexdigest()

    def taken(self, samples: int) -> dict[str, int]:
        """Sequences of each source among the first `samples`."""
        totals: dict[str, int] = {}
        for stage, block in enumerate(self._stages):
            here = min(max(samples - int(self._starts[stage]), 0), int(self._starts[stage + 1] - self._starts[stage]))
            for name in block.counts:
                totals[name] = totals.get(name, 0) + block.taken(here, name)
        return totals

    def _taken(self, stage: int, name: str) -> int:
        return self._stages[stage].taken(int(self._starts[stage + 1] - self._starts[stage]), name)

    def _key(self, name: str, epoch: int) -> int:
        words = f"order\0{VERSION}\0{self._seed}\0{name}\0{self._sources[name].digest}\0{epoch}"
        return int.from_bytes(hashlib.sha256(words.encode()).digest()[:8], "little")


class _Block:
    """The layout that every block of a stage repeats."""

    def __init__(self, weights: Mapping[str, float]) -> None:
        self._names = list(weights)
        total = sum(weights.values())
        exact = [BLOCK * weight / total for weight in weights.values()]
        counts = [int(share) for share in exact]
        by_remainder = sorted(range(len(exact)), key=lambda k: (counts[k] - exact[k], k))
        for k in by_remainder[: BLOCK - sum(counts)]:
            counts[k] += 1
        self.counts = dict(zip(self._names, counts, strict=True))

    @cached_property
    def _layout(self) -> tuple[Any, Any]:
        """Source number and rank within the source of each place of a block.

        Each source's samples are spread evenly, so that every batch has nearly the mixture's shares.
        """
        number = np.repeat(np.arange(len(self._names)), list(self.counts.values()))
        rank = np.concatenate([np.arange(count) for count in self.counts.values()])
        count = np.array(list(self.counts.values()))[number]
        # (rank + 1/2) / count in exact integers, so that no rounding decides the order.
        order = np.lexsort((number, ((2 * rank + 1) * (BLOCK * BLOCK)) // (2 * count)))
        return number[order], rank[order]

    def at(self, i: int) -> tuple[str, int]:
        """Source of the stage's i-th sample, and how many of that source came before it in the stage."""
        block, place = divmod(i, BLOCK)
        numbers, ranks = self._layout
        name = self._names[int(numbers[place])]
        return name, block * self.counts[name] + int(ranks[place])

    def taken(self, samples: int, name: str) -> int:
        """Samples of a source among the stage's first `samples`."""
        if name not in self.counts:
            return 0
        blocks, rest = divmod(samples, BLOCK)
        numbers, _ = self._layout
        return blocks * self.counts[name] + int((numbers[:rest] == self._names.index(name)).sum())
