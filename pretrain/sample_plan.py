"""Which sequence is the i-th of a run: a pure function, the same for any number of ranks and any engine.

The mixture comes in blocks of fixed length in which every source has its exact share, spread evenly. Each source has
a cursor that goes on across blocks and stages; its epochs are keyed permutations, computed and never stored. So the
order up to a sample depends on the seed, the stages up to its own, and the digests of the sources in them: a run
that is extended, or gets a further stage or source later, keeps its past.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from pretrain.course import Course, Packing, rest_name, whole_name
from pretrain.permutation import permuted, restored
from pretrain.planned_stage import PlannedStage

VERSION = 1
"""Raised when the same arguments would give another order."""

BLOCK = 4096
"""Samples of a block; a weight below half of 1/BLOCK cannot be met."""


@dataclass(frozen=True)
class Sample:
    """One sequence of one packing of one source, in one of its epochs."""

    source: str
    epoch: int
    sequence: int
    packing: str


@dataclass(frozen=True)
class Remainder:
    """What an epoch of a source has left: in the order of `key`, the sequences from `place` on."""

    packing: Packing
    place: int
    key: int

    def holds(self, sequence: int) -> bool:
        """Whether a sequence of the packing is left."""
        return restored(sequence, self.packing.sequences, self.key) >= self.place


class SamplePlan:
    """The order of a run.

    Args:
        stages: in order; only the last may grow later.
        packings: of the sources, at least of those the stages mix: by source, and by the packing's name.
    Raises:
        ValueError: if a source has no sequences, or so small a weight that a block has no place for it.
    """

    def __init__(
        self, seed: int, stages: Sequence[PlannedStage], packings: Mapping[str, Mapping[str, Packing]]
    ) -> None:
        self._seed = seed
        self._stages = [_Block(stage.weights) for stage in stages]
        self._starts = [0]
        for stage in stages:
            self._starts.append(self._starts[-1] + stage.samples)
        self._courses: list[dict[str, Course]] = []
        self._standing: dict[str, Course] = {}
        for number, stage in enumerate(stages):
            self._enter(number, stage, packings)

    def _enter(self, number: int, stage: PlannedStage, packings: Mapping[str, Mapping[str, Packing]]) -> None:
        block = self._stages[number]
        courses: dict[str, Course] = {}
        for name, count in block.counts.items():
            whole = packings[name][whole_name(stage.seq_len)]
            if whole.sequences == 0:
                raise ValueError(f"source {name!r} has no sequences")
            if count == 0:
                raise ValueError(f"the weight of source {name!r} is below {0.5 / BLOCK:.6f} of the mixture")
            before = self._standing.get(name, Course(whole))
            if before.whole == whole:
                courses[name] = before
            else:
                rest = packings[name][rest_name(stage.seq_len, number)] if before.left() is not None else None
                courses[name] = before.in_other_sequences(whole, rest)
            self._standing[name] = courses[name].after(block.taken(stage.samples, name))
        self._courses.append(courses)

    def __len__(self) -> int:
        return self._starts[-1]

    def at(self, i: int) -> Sample:
        """The i-th sample, in constant time and memory."""
        if not 0 <= i < len(self):
            raise IndexError(i)
        stage = bisect_right(self._starts, i) - 1
        name, taken = self._stages[stage].at(i - self._starts[stage])
        packing, epoch, place = self._courses[stage][name].at(taken)
        sequence = permuted(place, packing.sequences, self._key(name, packing, epoch))
        return Sample(name, epoch, sequence, packing.name)

    def places(self, source: str, packing: str, sequence: int) -> Iterator[int]:
        """The numbers of all samples that are this sequence, in order: `at` the other way round.

        Takes as many steps as the source has epochs.
        """
        for number, courses in enumerate(self._courses):
            if source not in courses:
                continue
            block, first = self._stages[number], self._starts[number]
            taken = block.taken(self._starts[number + 1] - first, source)
            for lap in courses[source].laps(taken):
                if lap.packing.name != packing:
                    continue
                key = self._key(source, lap.packing, lap.epoch)
                of_source = lap.first + restored(sequence, lap.packing.sequences, key)
                if 0 <= of_source < taken:
                    yield first + block.place(source, of_source)

    def remainder(self, source: str) -> Remainder | None:
        """What an epoch of a source has left when all stages are done; None if nothing is."""
        standing = self._standing.get(source)
        left = standing.left() if standing is not None else None
        if left is None:
            return None
        packing, epoch, place = left
        return Remainder(packing, place, self._key(source, packing, epoch))

    def digest(self, i: int, j: int, without: Sequence[Sequence[int]] = ()) -> str:
        """SHA-256 over the samples [i, j): equal digests mean equal order.

        Args:
            without: ranges [first, end) of samples that are not in it.
        """
        digest = hashlib.sha256()
        for k in (k for k in range(i, j) if not any(first <= k < end for first, end in without)):
            sample = self.at(k)
            digest.update(f"{k}\t{sample.source}\t{sample.epoch}\t{sample.sequence}\n".encode())
        return digest.hexdigest()

    def taken(self, samples: int, without: Sequence[tuple[int, int]] = ()) -> dict[str, int]:
        """Sequences of each source among the first `samples`.

        Args:
            without: ranges [first, end) of samples that are left out, and do not touch.
        """
        totals: dict[str, int] = {}
        for number, block in enumerate(self._stages):
            for name in block.counts:
                here = self._taken_between(number, name, 0, samples)
                here -= sum(self._taken_between(number, name, first, end) for first, end in without)
                totals[name] = totals.get(name, 0) + here
        return totals

    def epochs(self, without: Sequence[tuple[int, int]] = ()) -> dict[str, float]:
        """How often each source is gone through.

        Args:
            without: ranges [first, end) of samples that are left out, and do not touch.
        """
        taken: dict[str, dict[int, int]] = {}
        for number, courses in enumerate(self._courses):
            for name, course in courses.items():
                here = self._taken_between(number, name, 0, len(self))
                here -= sum(self._taken_between(number, name, first, end) for first, end in without)
                of_length = taken.setdefault(name, {})
                of_length[course.whole.sequences] = of_length.get(course.whole.sequences, 0) + here
        return {
            name: sum(count / sequences for sequences, count in of_length.items()) for name, of_length in taken.items()
        }

    def _taken_between(self, stage: int, source: str, first: int, end: int) -> int:
        """Samples [first, end) that are a source's in a stage."""
        block = self._stages[stage]
        return block.taken(self._within(stage, end), source) - block.taken(self._within(stage, first), source)

    def _within(self, stage: int, samples: int) -> int:
        """How many of the first `samples` are the stage's."""
        return min(max(samples - self._starts[stage], 0), self._starts[stage + 1] - self._starts[stage])

    def _key(self, name: str, packing: Packing, epoch: int) -> int:
        words = f"order\0{VERSION}\0{self._seed}\0{name}\0{packing.digest}\0{epoch}"
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

    def place(self, name: str, taken: int) -> int:
        """The stage's sample that comes after `taken` samples of its source."""
        block, rank = divmod(taken, self.counts[name])
        numbers, _ = self._layout
        # Within a block a source's samples stand in the order of their ranks.
        return block * BLOCK + int(np.flatnonzero(numbers == self._names.index(name))[rank])
