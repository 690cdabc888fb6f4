"""How a state will lie in DeepSpeed's files: what is trained and what is not, and which numbers go where.

Everything here is shapes; numbers are read when a file is written, a piece at a time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial

import torch

from pretrain.checkpoint.boxes import Box, boxes_of_flat_range
from pretrain.checkpoint.stream import PIECE_BYTES, cast
from pretrain.convert.deepspeed.layout import (
    Stretch,
    cut_evenly,
    end_to_end,
    evenly_cut_length,
    padded_partition,
    sub_groups,
)
from pretrain.convert.model import Model
from pretrain.convert.source import StateSource
from pretrain.convert.torch_file import Lazy, Storage
from pretrain.engines.base import Kind

Shapes = dict[str, tuple[int, ...]]

_PIECE = PIECE_BYTES // 4
"""Numbers that are read at a time."""

_Reads = Iterator[Callable[[], torch.Tensor]]


@dataclass(frozen=True)
class Plan:
    """A DeepSpeed checkpoint before it is written."""

    source: StateSource
    model: Model
    stage: int
    ranks: int
    dtype: torch.dtype
    """Of the model; what the optimizer trains is float32."""
    groups: int
    """Of the optimizer: one, or two with matrices in the first and vectors in the second."""

    @cached_property
    def trained(self) -> Shapes:
        """What is in the optimizer: what has moments, or everything where nothing has."""
        has = self.source.has
        all_of_it = not self.source.has_moments
        return {name: shape for name, shape in self.model.shapes.items() if all_of_it or has(name, "exp_avg")}

    @cached_property
    def frozen(self) -> Shapes:
        """The rest."""
        return {name: shape for name, shape in self.model.shapes.items() if name not in self.trained}

    @cached_property
    def of_optimizer(self) -> list[Shapes]:
        """Parameters of each of the optimizer's groups; one that would be empty is left out."""
        if self.groups == 1:
            return [self.trained]
        matrices = {name: shape for name, shape in self.trained.items() if len(shape) > 1}
        vectors = {name: shape for name, shape in self.trained.items() if len(shape) <= 1}
        return [shapes for shapes in (matrices, vectors) if shapes]

    @cached_property
    def _cut(self) -> list[list[Shapes]]:
        """Parameters of each flat tensor of a rank, by the optimizer's group; only ZeRO 3 has several in one."""
        if self.stage < 3:
            return [[shapes] for shapes in self.of_optimizer]
        return [[dict(one) for one in sub_groups(shapes, self.ranks)] for shapes in self.of_optimizer]

    @cached_property
    def flat(self) -> list[Shapes]:
        """Parameters of each flat tensor of a rank."""
        return [shapes for of_group in self._cut for shapes in of_group]

    @property
    def flat_of_optimizer(self) -> list[int]:
        """How many flat tensors are of each of the optimizer's groups."""
        return [len(of_group) for of_group in self._cut]

    def length(self, group: int) -> int:
        """Numbers in a rank's flat tensor, padding included."""
        shapes = self.flat[group]
        return evenly_cut_length(shapes, self.ranks) if self.stage == 3 else padded_partition(shapes, self.ranks)

    def padding(self, group: int, rank: int) -> int:
        """Numbers at the end of a rank's flat tensor that are of no parameter; ZeRO 1 and 2."""
        partition = self.length(group)
        held = sum(map(math.prod, self.flat[group].values())) - rank * partition
        return partition - min(max(held, 0), partition)

    @cached_property
    def _stretches(self) -> dict[tuple[int, int], list[Stretch]]:
        found: dict[tuple[int, int], list[Stretch]] = {}
        for group, shapes in enumerate(self.flat):
            cut = cut_evenly(group, shapes, self.ranks)
            for one in cut if self.stage == 3 else end_to_end(group, shapes, self.length(group)):
                found.setdefault((one.rank, group), []).append(one)
        return found

    def stretches(self, rank: int, group: int) -> list[Stretch]:
        """What a rank's flat tensor holds, in order."""
        return self._stretches.get((rank, group), [])

    def flat_tensor(self, rank: int, group: int, kind: Kind, length: int) -> Lazy:
        """A rank's flat tensor, float32, of which the first `length` numbers are written."""
        stretches = self.stretches(rank, group)

        def reads() -> _Reads:
            at = 0
            for one in stretches:
                yield from _zeros(one.offset - at)
                yield from self._reads(one.name, kind, one.first, one.count, torch.float32)
                at = one.offset + one.count
            yield from _zeros(length - at)

        return Lazy(Storage(torch.float32, length, reads), (length,))

    def whole(self, name: str, kind: Kind, dtype: torch.dtype) -> Lazy:
        """A tensor as it is in the model."""
        shape = self.model.shapes[name]
        count = math.prod(shape)
        return Lazy(Storage(dtype, count, lambda: self._reads(name, kind, 0, count, dtype)), shape)

    def frozen_share(self, name: str, rank: int) -> Lazy:
        """ZeRO 3: a rank's share of a tensor that is not trained, padded."""
        length = evenly_cut_length({name: self.model.shapes[name]}, self.ranks)
        held = [one for one in cut_evenly(0, {name: self.model.shapes[name]}, self.ranks) if one.rank == rank]

        def reads() -> _Reads:
            for one in held:
                yield from self._reads(name, "master", one.first, one.count, self.dtype)
            yield from _zeros(length - sum(one.count for one in held), self.dtype)

        return Lazy(Storage(self.dtype, length, reads), (length,))

    def _reads(self, name: str, kind: Kind, first: int, count: int, dtype: torch.dtype) -> _Reads:
        if not self.source.has(name, kind):
            yield from _zeros(count, dtype)
            return
        for start in range(first, first + count, _PIECE):
            end = min(first + count, start + _PIECE)
            for box in boxes_of_flat_range(self.model.shapes[name], start, end):
                yield partial(self._read, name, box, kind, dtype)

    def _read(self, name: str, box: Box, kind: Kind, dtype: torch.dtype) -> torch.Tensor:
        return cast(self.source.read(name, box, kind), dtype, name)


def _zeros(count: int, dtype: torch.dtype = torch.float32) -> _Reads:
    for start in range(0, count, _PIECE):
        yield partial(torch.zeros, min(_PIECE, count - start), dtype=dtype)


def scalar(value: float) -> Lazy:
    """A tensor of no dimension."""
    return Lazy(Storage(torch.float32, 1, lambda: iter([lambda: torch.tensor(float(value))])), ())


def nothing(dtype: torch.dtype) -> Lazy:
    """A tensor of no numbers, which is what ZeRO 3 leaves of a parameter."""
    return Lazy(Storage(dtype, 0, lambda: iter(())), (0,))


def sizes(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, torch.Size]:
    """Shapes as DeepSpeed writes them."""
    return {name: torch.Size(shape) for name, shape in shapes.items()}
