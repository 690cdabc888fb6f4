"""Context parallelism: each rank of a context group works on two stretches of a micro-batch, and sees all keys.

The row of T positions is cut into 2C chunks for C ranks, and rank r holds chunk r and chunk 2C - 1 - r: with causal
attention a late chunk has as much more to look at as an early one has less, so that all ranks have about the same to
do, whatever the length of the documents. Packing knows nothing of it. Keys and values are gathered in every layer.

Shapes: T positions of a micro-batch, L = T/C of them on this rank, h query and g key/value heads of this tensor
rank, K numbers per head, Q positions of a slice.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F  # noqa: N812  # torch's own customary name

from pretrain.micro_batch import NO_LABEL, MicroBatch


@dataclass(frozen=True)
class Slice:
    """Positions of one document that follow each other on this rank."""

    first: int
    """Where it begins among this rank's positions."""
    length: int
    begin: int
    """Where what it looks at begins in the whole row: the begin of its document."""
    end: int
    """Where it ends in the whole row; its last position looks at all of [begin, end)."""


@dataclass(frozen=True)
class Share:
    """This rank's positions of a micro-batch."""

    batch: MicroBatch
    """The positions alone; a document is what is left of one here."""
    slices: tuple[Slice, ...] | None
    """None if this rank has the whole row."""


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
    if ranks == 1:
        return Share(batch, None)
    held = chunks(len(batch.tokens_T), rank, ranks)
    slices: list[Slice] = []
    for chunk_begin, chunk_end in held:
        for begin, end in itertools.pairwise(batch.cu_seqlens.tolist()):
            first, last = max(begin, chunk_begin), min(end, chunk_end)
            if first < last:
                here = slices[-1].first + slices[-1].length if slices else 0
                slices.append(Slice(here, last - first, begin, last))

    def cut(values_T: torch.Tensor) -> torch.Tensor:
        return torch.cat([values_T[begin:end] for begin, end in held])

    local = replace(
        batch,
        tokens_T=cut(batch.tokens_T),
        labels_T=cut(batch.labels_T),
        positions_T=cut(batch.positions_T),
        source_T=cut(batch.source_T),
        cu_seqlens=torch.tensor([0, *(one.first + one.length for one in slices)], dtype=torch.int32),
    )
    return Share(local, tuple(slices))


def attention(
    query_LhK: torch.Tensor,
    key_LgK: torch.Tensor,
    value_LgK: torch.Tensor,
    slices: Sequence[Slice],
    group: Any,
    scale: float | None,
) -> torch.Tensor:
    """Attend within documents, from this rank's positions to those of all ranks of the context group.

    Returns:
        Shape (h, L, K).
    """
    heads = key_LgK.shape[1]
    both_TnK: torch.Tensor = _Gather.apply(torch.cat([key_LgK, value_LgK], dim=1), group)  # type: ignore[no-untyped-call]
    key_gTK, value_gTK = both_TnK.transpose(0, 1).split([heads, heads])
    return sliced_attention(query_LhK.transpose(0, 1), key_gTK, value_gTK, slices, scale)


def sliced_attention(
    query_hLK: torch.Tensor,
    key_gTK: torch.Tensor,
    value_gTK: torch.Tensor,
    slices: Sequence[Slice],
    scale: float | None = None,
) -> torch.Tensor:
    """Causal attention of slices of documents.

    Each slice is its own kernel call over no more than its own document's keys, so no number of another document can
    reach it, not even through a mask.

    Returns:
        Shape (h, L, K), dtype of the query.
    """
    repeats = query_hLK.shape[0] // key_gTK.shape[0]
    key_hTK, value_hTK = (keys.repeat_interleave(repeats, dim=0) for keys in (key_gTK, value_gTK))
    pieces = []
    for one in slices:
        query_hQK = query_hLK[:, one.first : one.first + one.length]
        seen = slice(one.begin, one.end)
        pieces.append(_causal(query_hQK, key_hTK[:, seen], value_hTK[:, seen], scale))
    return torch.cat(pieces, dim=1)


def _causal(
    query_hQK: torch.Tensor, key_hTK: torch.Tensor, value_hTK: torch.Tensor, scale: float | None
) -> torch.Tensor:
    """Attention in which the last query sees all keys, the one before all but one, and so on."""
    queries, keys = query_hQK.shape[1], key_hTK.shape[1]
    mask = None
    if queries < keys:
        mask = torch.ones(queries, keys, dtype=torch.bool, device=query_hQK.device).tril(keys - queries)
    return F.scaled_dot_product_attention(
        query_hQK[None], key_hTK[None], value_hTK[None], attn_mask=mask, is_causal=mask is None, scale=scale
    )[0]


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
