"""torch's flex_attention, told the documents by a mask in blocks: blocks that nobody looks at are not computed.

Compiled on a GPU. On a CPU torch runs it uncompiled, with all scores in memory, and takes no gradients there.

Shapes: Q queries, T keys of the row, B blocks of queries, C blocks of keys.
"""

from __future__ import annotations

import warnings
from functools import lru_cache
from typing import Any

import torch
from torch.nn.attention.flex_attention import BlockMask, flex_attention

from pretrain.attention.documents import Documents
from pretrain.attention.need import Attend, Need

BLOCK = 128
"""Positions of a block; what flex_attention's own kernels are laid out for."""


def flex(need: Need) -> Attend:
    """See `Attend`."""
    kernel = _compiled() if need.device.type == "cuda" else _uncompiled
    return masked(kernel, grouped=need.query_heads != need.key_heads)


def masked(kernel: Any, *, grouped: bool) -> Attend:
    """An `Attend` of flex_attention, compiled or not."""

    def attend(
        query_HQK: torch.Tensor,
        key_GTK: torch.Tensor,
        value_GTK: torch.Tensor,
        documents: Documents,
        scale: float | None = None,
    ) -> torch.Tensor:
        out: torch.Tensor = kernel(
            query_HQK[None],
            key_GTK[None],
            value_GTK[None],
            block_mask=documents.once(block_mask, query_HQK.device),
            scale=scale,
            enable_gqa=grouped,
        )
        return out[0]

    return attend


@lru_cache(maxsize=1)
def _compiled() -> Any:
    return torch.compile(flex_attention)


def _uncompiled(*arguments: Any, **more: Any) -> Any:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="flex_attention called without torch.compile")
        return flex_attention(*arguments, **more)


def block_mask(documents: Documents, device: torch.device) -> BlockMask:
    """Which blocks of keys each block of queries looks at, and within them which keys each query.

    From the slices alone, never from Q x T booleans, which are 1 GiB at 32,768 positions.
    """
    blocks = -(-documents.queries // BLOCK)
    begin_Q = torch.zeros(blocks * BLOCK, dtype=torch.int32)
    last_Q = torch.full((blocks * BLOCK,), -1, dtype=torch.int32)  # what is beyond the queries looks at nothing
    for one in documents.slices:
        here = slice(one.first, one.first + one.length)
        begin_Q[here] = one.begin
        last_Q[here] = torch.arange(one.end - one.length, one.end)
    some_BC, all_BC = _blocks(begin_Q, last_Q, documents)
    begin_Q, last_Q = begin_Q.to(device, non_blocking=True), last_Q.to(device, non_blocking=True)

    def looks_at(batch: torch.Tensor, head: torch.Tensor, query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
        return (key >= begin_Q[query]) & (key <= last_Q[query])

    return BlockMask.from_kv_blocks(
        *_listed(some_BC & ~all_BC, device),
        *_listed(all_BC, device),
        BLOCK_SIZE=BLOCK,
        mask_mod=looks_at,
        seq_lengths=(documents.queries, documents.keys),
    )


def _blocks(begin_Q: torch.Tensor, last_Q: torch.Tensor, documents: Documents) -> tuple[torch.Tensor, torch.Tensor]:
    """Blocks that some query of a block may look at, and those of which every query looks at every key."""
    real_Q = last_Q >= 0
    # What is beyond the queries must neither widen what a block looks at, nor keep a block from being whole.
    lowest_B1 = begin_Q.where(real_Q, documents.keys).view(-1, BLOCK).amin(1, keepdim=True)
    highest_begin_B1 = begin_Q.view(-1, BLOCK).amax(1, keepdim=True)
    highest_B1 = last_Q.view(-1, BLOCK).amax(1, keepdim=True)
    lowest_last_B1 = last_Q.where(real_Q, documents.keys).view(-1, BLOCK).amin(1, keepdim=True)
    first_C = torch.arange(0, documents.keys, BLOCK, dtype=torch.int32)
    last_C = (first_C + BLOCK - 1).clamp(max=documents.keys - 1)
    some_BC = (first_C <= highest_B1) & (last_C >= lowest_B1)
    # A block that the row ends within is never taken for whole: its kernel looks at what is beyond the row.
    all_BC = (first_C >= highest_begin_B1) & (first_C + BLOCK - 1 <= lowest_last_B1)
    return some_BC, all_BC


def _listed(blocks_BC: torch.Tensor, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """How many there are in each row, and their numbers, those first."""
    counts_B = blocks_BC.sum(1, dtype=torch.int32)
    numbers_BC = blocks_BC.int().argsort(dim=1, descending=True, stable=True).int()
    return (
        counts_B[None, None].to(device, non_blocking=True),
        numbers_BC[None, None].to(device, non_blocking=True).contiguous(),
    )
