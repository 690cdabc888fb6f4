"""Flat pieces of parameters: what a rank of a sharded engine holds, as boxes of Hugging Face tensors and back.

Every sharded optimizer keeps one-dimensional stretches of parameters in tensors of its own. A shard says which
stretch of which parameter lies where in which of these tensors; Adam's moments lie at the same place beside it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch

from pretrain.checkpoint.boxes import Box, boxes_of_flat_range
from pretrain.engines import process_group
from pretrain.engines.base import Kind, StatePart, StateReader
from pretrain.engines.gradients import sum_of_squares

_MOMENTS: tuple[Kind, ...] = ("exp_avg", "exp_avg_sq")


@dataclass(frozen=True)
class Shard:
    """A stretch of a parameter that this rank holds."""

    name: str
    """Of the parameter, as the engine's model calls it."""
    shape: tuple[int, ...]
    """Of the whole parameter on this rank's model, row-major."""
    start: int
    """Its first number, counted in the parameter."""
    count: int
    """How many numbers it has."""
    holder: torch.Tensor
    """What the optimizer trains; for a frozen parameter, the memory it is kept in."""
    offset: int
    """Where in the holder the stretch begins."""
    owned: tuple[int, int]
    """From and to which number of the parameter this rank answers for it; other ranks may hold copies."""
    trained: bool
    """Whether the optimizer keeps moments for it."""

    def of(self, tensor: torch.Tensor) -> torch.Tensor:
        """The stretch as a flat view of `tensor`, which is laid out like the holder."""
        return tensor.detach().view(-1)[self.offset : self.offset + self.count]

    def within(self, flat: torch.Tensor, first: int, last: int) -> torch.Tensor:
        """The numbers [first, last) of the parameter out of the flat stretch, as far as they lie in it."""
        return flat[max(0, first - self.start) : max(0, last - self.start)]

    def rows(self, flat: torch.Tensor, first: int | None, last: int | None) -> torch.Tensor:
        """Those of the flat stretch that lie in the parameter's rows [first, last)."""
        row = math.prod(self.shape[1:])
        return self.within(flat, (first or 0) * row, math.prod(self.shape) if last is None else last * row)


def replica(name: str, parameter: torch.Tensor, owned: tuple[int, int]) -> Shard:
    """A parameter of which every rank has the whole, and this one answers for a share.

    Trained, the whole is what the optimizer trains. Frozen in fp32 it is kept as it is; in another format the rank
    keeps the fp32 digits of its share, for checkpoints.
    """
    trained = parameter.requires_grad
    start, end, holder = 0, parameter.numel(), parameter if trained else parameter.detach()
    if not trained and parameter.dtype != torch.float32:
        (start, end), holder = owned, holder.new_empty(owned[1] - owned[0], dtype=torch.float32)
    return Shard(name, tuple(parameter.shape), start, end - start, holder, 0, owned, trained)


@dataclass(frozen=True)
class Place:
    """A box of an HF tensor and the memory that holds it."""

    name: str
    shape: tuple[int, ...]
    """Of the whole HF tensor."""
    box: Box
    view: torch.Tensor
    """As many numbers as the box, in the same order, in any shape."""


class Places(Protocol):
    """Cuts numbers of a parameter into boxes of HF tensors."""

    def __call__(self, shard: Shard, first: int, flat: torch.Tensor) -> Iterator[Place]:
        """Where the numbers of `flat`, the parameter's from `first` on, belong; padding belongs nowhere."""
        ...


def hf_places(shard: Shard, first: int, flat: torch.Tensor) -> Iterator[Place]:
    """Places for a model that is the HF model: the parameter is the tensor."""
    at = 0
    for box in boxes_of_flat_range(shard.shape, first, first + flat.numel()):
        yield Place(shard.name, shard.shape, box, flat[at : at + box.count].view(box.sizes))
        at += box.count


def even_share(count: int, rank: int, size: int) -> tuple[int, int]:
    """From and to which of `count` numbers a rank answers for what all ranks hold."""
    return count * rank // size, count * (rank + 1) // size


def local_state(shards: Sequence[Shard], optimizer: torch.optim.Optimizer, places: Places) -> Iterator[StatePart]:
    """What this rank answers for, as views where the boxes allow it."""
    for shard in shards:
        first = max(shard.start, shard.owned[0])
        for kind, tensor in _held(shard, optimizer):
            for place in places(shard, first, shard.within(shard.of(tensor), *shard.owned)):
                yield StatePart(place.name, place.shape, place.box, kind, place.view.reshape(place.box.sizes))


def _held(shard: Shard, optimizer: torch.optim.Optimizer) -> Iterator[tuple[Kind, torch.Tensor]]:
    yield "master", shard.holder
    moments = optimizer.state.get(shard.holder, {})
    for kind in _MOMENTS:
        if kind in moments:
            yield kind, moments[kind]


@torch.no_grad()
def load_state(
    shards: Sequence[Shard], optimizer: torch.optim.Optimizer, places: Places, reader: StateReader, step: int
) -> None:
    """Fill the shards and Adam's moments, reading no box that is not on this rank."""
    optimizer.state.clear()
    for shard in shards:
        _fill(shard, shard.holder, places, reader, "master")
        if shard.trained and reader.has_moments and step > 0:
            state = optimizer.state[shard.holder]
            state.setdefault("step", torch.tensor(float(step), device=shard.holder.device))
            for kind in _MOMENTS:
                _fill(shard, state.setdefault(kind, torch.zeros_like(shard.holder)), places, reader, kind)


def _fill(shard: Shard, tensor: torch.Tensor, places: Places, reader: StateReader, kind: Kind) -> None:
    flat = shard.of(tensor)
    flat.zero_()
    for place in places(shard, shard.start, flat):
        place.view.copy_(reader.read(place.name, place.box, kind).reshape(place.view.shape))


def global_norm(gradients: Iterable[torch.Tensor], device: torch.device) -> float:
    """L2 norm over all ranks of gradients that each occur on one rank only."""
    return math.sqrt(process_group.sum_over_ranks([sum_of_squares(gradients)], device)[0])
