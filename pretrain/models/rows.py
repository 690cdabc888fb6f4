"""Which part of a Hugging Face tensor a part of a megatron-core parameter is, in both directions.

A core parameter is seen unfolded: as the array of as many dimensions as it takes for tensor parallelism to cut
along one of them (gate and up projection are two slices of a (2, F, H) array, of which a rank holds some columns
of each). Memory is the same; only the shape says more. A model family is a list of rows, one per core parameter.

Shapes: V vocabulary rows, H hidden, F feed-forward, G key/value heads, Q query heads of each, D numbers per head.
"""

from __future__ import annotations

import dataclasses
import itertools
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod

from configs.errors import UserError
from pretrain.checkpoint.boxes import Box, boxes_of_flat_range


@dataclass(frozen=True)
class Piece:
    """The same numbers on both sides, in the same row-major order."""

    core: Box
    """In the unfolded core parameter."""
    name: str
    """HF name."""
    hf: Box
    """In the HF tensor."""


@dataclass(frozen=True)
class _Slots:
    """What of a core parameter an HF tensor is: some slots of its slot dimension."""

    name: str
    first: int
    count: int


class Row(ABC):
    """One core parameter and the HF tensors it consists of.

    Attributes:
        core: name of the parameter in the whole model, layers counted over all pipeline stages.
        shape: unfolded shape of the whole parameter.
        tp_dim: dimension of it that tensor parallelism cuts; none if every rank holds all.
    """

    core: str
    shape: tuple[int, ...]
    tp_dim: int | None
    slot_dim: int = 0
    """Dimension whose slices belong to different HF tensors."""
    folded: int = 1
    """Leading dimensions that are one in HF."""

    @abstractmethod
    def slots(self) -> tuple[_Slots, ...]:
        """The HF tensors and their slots."""

    @property
    def hf_shapes(self) -> dict[str, tuple[int, ...]]:
        """HF names and shapes."""
        return {part.name: self._hf_shape(part) for part in self.slots()}

    def _unfolded(self, part: _Slots) -> tuple[int, ...]:
        return (*self.shape[: self.slot_dim], part.count, *self.shape[self.slot_dim + 1 :])

    def _hf_shape(self, part: _Slots) -> tuple[int, ...]:
        unfolded = self._unfolded(part)
        return (prod(unfolded[: self.folded]), *unfolded[self.folded :])

    def to_hf(self, box: Box) -> Iterator[Piece]:
        """Cut a box of the core parameter at the borders of HF tensors.

        Each piece is contiguous in core memory wherever its trailing dimensions are whole, so it can be a view.
        """
        for part in self.slots():
            inner = box.intersect(_shift(Box.whole(self._unfolded(part)), self.slot_dim, part.first))
            if inner is not None:
                yield from self._fold(part, _shift(inner, self.slot_dim, -part.first))

    def _fold(self, part: _Slots, box: Box) -> Iterator[Piece]:
        leading = self._unfolded(part)[: self.folded]
        trailing = (box.offsets[self.folded :], box.sizes[self.folded :])
        for run in _runs(leading, Box(box.offsets[: self.folded], box.sizes[: self.folded]), self.slot_dim):
            unfolded = Box(run.offsets + trailing[0], run.sizes + trailing[1])
            hf = Box((_flat_index(leading, run.offsets), *trailing[0]), (run.count, *trailing[1]))
            yield Piece(_shift(unfolded, self.slot_dim, part.first), part.name, hf)

    def to_core(self, name: str, box: Box) -> Iterator[Piece]:
        """Cut a box of one of its HF tensors into boxes of the core parameter.

        Raises:
            KeyError: if the tensor is none of this row's.
        """
        part = {part.name: part for part in self.slots()}[name]
        row, trailing = box.offsets[0], (box.offsets[1:], box.sizes[1:])
        for leading in boxes_of_flat_range(self._unfolded(part)[: self.folded], row, row + box.sizes[0]):
            unfolded = Box(leading.offsets + trailing[0], leading.sizes + trailing[1])
            hf = Box((row, *trailing[0]), (leading.count, *trailing[1]))
            row += leading.count
            yield Piece(_shift(unfolded, self.slot_dim, part.first), name, hf)


@dataclass(frozen=True)
class Same(Row):
    """One HF tensor, as it is."""

    core: str
    hf: str
    shape: tuple[int, ...]
    tp_dim: int | None = None

    def slots(self) -> tuple[_Slots, ...]:
        return (_Slots(self.hf, 0, self.shape[0]),)


@dataclass(frozen=True)
class Stacked(Row):
    """HF tensors of one shape (F, ...) on top of each other: core (n, F, ...), cut along F."""

    core: str
    hf: tuple[str, ...]
    shape: tuple[int, ...]
    tp_dim: int | None = 1
    folded: int = 2

    def slots(self) -> tuple[_Slots, ...]:
        return tuple(_Slots(name, i, 1) for i, name in enumerate(self.hf))


@dataclass(frozen=True)
class GroupedQkv(Row):
    """HF    q (G*Q*D, ...), k (G*D, ...), v (G*D, ...)
    core  (G, Q+2, D, ...): group after group, in each its query heads, then its key, then its value; cut along G.

    Source: megatron-core `SelfAttention.get_query_key_value_tensors`, which splits [Q*D, D, D] off each group.
    """

    core: str
    hf: tuple[str, str, str]
    shape: tuple[int, ...]
    tp_dim: int | None = 0
    slot_dim: int = 1
    folded: int = 3

    def slots(self) -> tuple[_Slots, ...]:
        q, k, v = self.hf
        queries = self.shape[1] - 2
        return (_Slots(q, 0, queries), _Slots(k, queries, 1), _Slots(v, queries + 1, 1))


def local_box(row: Row, tp_rank: int, tp_size: int, *, padded_rows: int | None = None) -> Box:
    """The box of the unfolded core parameter that a tensor-parallel rank holds.

    Args:
        padded_rows: first dimension with the engine's own padding; rows past the row's shape map to nothing.
    """
    shape = list(row.shape) if padded_rows is None else [padded_rows, *row.shape[1:]]
    offsets = [0] * len(shape)
    if row.tp_dim is not None:
        shape[row.tp_dim] //= tp_size
        offsets[row.tp_dim] = tp_rank * shape[row.tp_dim]
    return Box(tuple(offsets), tuple(shape))


def check_complete(rows: Sequence[Row], hf_shapes: Mapping[str, Sequence[int]], core_names: Collection[str]) -> None:
    """Every tensor on either side must be explained by exactly one row.

    Args:
        hf_shapes: HF names and shapes of the architecture.
        core_names: parameters of the whole core model.
    Raises:
        UserError: names what is left over or missing on either side, and shapes that differ.
    """
    explained = {name: shape for row in rows for name, shape in row.hf_shapes.items()}
    complaints = [
        *_difference("Hugging Face tensors that no row explains", hf_shapes, explained),
        *_difference("Hugging Face tensors that rows need and the model lacks", explained, hf_shapes),
        *_difference("core parameters that no row explains", core_names, {row.core for row in rows}),
        *_difference("core parameters that rows need and the model lacks", {row.core for row in rows}, core_names),
    ]
    for name in sorted(explained.keys() & hf_shapes.keys()):
        if explained[name] != tuple(hf_shapes[name]):
            complaints.append(f"{name} has shape {tuple(hf_shapes[name])}, the rows say {explained[name]}")
    if complaints:
        raise UserError(f"the model does not fit its table of rows: {'; '.join(complaints)}")


def _difference(what: str, here: Collection[str], there: Collection[str]) -> list[str]:
    rest = sorted(set(here) - set(there))
    return [f"{what}: {', '.join(rest)}"] if rest else []


def _shift(box: Box, dim: int, by: int) -> Box:
    offsets = list(box.offsets)
    offsets[dim] += by
    return dataclasses.replace(box, offsets=tuple(offsets))


def _flat_index(shape: Sequence[int], index: Sequence[int]) -> int:
    flat = 0
    for size, i in zip(shape, index, strict=True):
        flat = flat * size + i
    return flat


def _runs(shape: tuple[int, ...], box: Box, dim: int) -> Iterator[Box]:
    """Cut a box into sub-boxes whose numbers follow each other without a gap, and never join slices of dims before
    `dim`: in a core parameter other slots lie between those.
    """
    while dim < len(shape) - 1 and any(
        size != whole for size, whole in zip(box.sizes[dim + 1 :], shape[dim + 1 :], strict=True)
    ):
        dim += 1
    outer = [range(start, start + size) for start, size in zip(box.offsets[:dim], box.sizes[:dim], strict=True)]
    for index in itertools.product(*outer):
        yield Box((*index, *box.offsets[dim:]), (1,) * dim + box.sizes[dim:])
