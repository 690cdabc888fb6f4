"""Context parallelism: each rank of a context group works on two stretches of a micro-batch, and sees all keys.

The row of T positions is cut into 2C chunks for C ranks, and rank r holds chunk r and chunk 2C - 1 - r: with causal
attention a late chunk has as much more to look at as an early one has less, so that all ranks have about the same to
do, whatever the length of the documents. Packing knows nothing of it. Keys and values are gathered in every layer.

Shapes: T positions of a micro-batch, L = T/C of them on this rank, h query and g key/value heads of this tensor
rank, K numbers per head.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.distributed as dist

from pretrain.attention.documents import Documents, slices
from pretrain.micro_batch import NO_LABEL, MicroBatch


@dataclass(frozen=True)
class Share:
    """This rank's positions of a micro-batch."""

    batch: MicroBatch
    """The positions alone; a document is what is left of one here."""
    documents: Documents
    """What they look at, in the whole row."""


def padded(batch: MicroBatch, multiple: int) -> MicroBatch:
    """The micro-batch with as many positions behind it, in a document of their own, as make up a multiple."""
    missing = -len(batch.tokens_T) % multiple
    if missing == 0:
        return batch

    def longer(values: torch.Tensor, by: torch.Tensor) -> torch.Tensor:
        return torch.cat([values, by.to(values)])

    return MicroBatch(
        tokens_T=longer(batch.tokens_T, batch.tokens_T[-1].expand(missing)),
        labels_T=longer(batch.labels_T, torch.full((missing,), NO_LABEL)),
        positions_T=longer(batch.positions_T, torch.arange(missing)),
        cu_seqlens=longer(batch.cu_seqlens, batch.cu_seqlens[-1:] + missing),
        source_T=longer(batch.source_T, batch.source_T[-1].expand(missing)),
    )


def chunks(positions: int, rank: int, ranks: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """From and to which position the two chunks of a rank reach; `positions` must be a multiple of 2 * ranks."""
    size = positions // (2 * ranks)
    return (rank * size, (rank + 1) * size), ((2 * ranks - 1 - rank) * size, (2 * ranks - rank) * size)


def share(batch: MicroBatch, rank: int, ranks: int) -> Share:
    """What a rank of the context group has of a micro-batch."""
    bounds = batch.cu_seqlens.tolist()
    if ranks == 1:
        return Share(batch, Documents.of(bounds))
    held = chunks(len(batch.tokens_T), rank, ranks)
    here = slices(bounds, held)

    def cut(values_T: torch.Tensor) -> torch.Tensor:
        return torch.cat([values_T[begin:end] for begin, end in held])

    local = replace(
        batch,
        tokens_T=cut(batch.tokens_T),
        labels_T=cut(batch.labels_T),
        positions_T=cut(batch.positions_T),
        source_T=cut(batch.source_T),
        cu_seqlens=torch.tensor([0, *(one.first + one.length for one in here)], dtype=torch.int32),
    )
    return Share(local, Documents(here, keys=len(batch.tokens_T)))


def gathered(key_LgK: torch.Tensor, value_LgK: torch.Tensor, group: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Keys and values of all ranks of the context group, each of shape (T, g, K)."""
    heads = key_LgK.shape[1]
    both_TnK: torch.Tensor = _Gather.apply(torch.cat([key_LgK, value_LgK], dim=1), group)  # type: ignore[no-untyped-call]
    key_TgK, value_TgK = both_TnK.split([heads, heads], dim=1)
    return key_TgK, value_TgK


class _Gather(torch.autograd.Function):
    """The positions of all ranks of a context group, in their order; gradients are summed on the rank of each."""

    @staticmethod
    def forward(ctx: Any, local_LnK: torch.Tensor, group: Any) -> torch.Tensor:
        ctx.group, ranks = group, dist.get_world_size(group)
        gathered = local_LnK.new_empty(ranks * local_LnK.shape[0], *local_LnK.shape[1:])
        dist.all_gather_into_tensor(gathered, local_LnK.contiguous(), group=group)
        by_rank = gathered.chunk(2 * ranks)  # rank 0's two chunks, rank 1's two, …
        return torch.cat([*by_rank[0::2], *reversed(by_rank[1::2])])

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None]:
        ranks = dist.get_world_size(ctx.group)
        in_order = gradients[0].chunk(2 * ranks)
        by_rank = torch.cat([in_order[at] for rank in range(ranks) for at in (rank, 2 * ranks - 1 - rank)])
        local = by_rank.new_empty(by_rank.shape[0] // ranks, *by_rank.shape[1:])
        dist.reduce_scatter_tensor(local, by_rank, group=ctx.group)
        return local, None
