"""Kernels that are told the documents by their cumulative lengths: torch's own, flash-attn's, Transformer Engine's.

All take positions first, each document in tiles of its own, and look from the last query at the last key, from the
one before at the key before, and so on, where a slice has fewer queries than keys.

Shapes: Q queries, T keys of the row, S keys that slices look at (end to end; T where documents are whole), H query
and G key/value heads, K numbers per head, D documents or slices.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

import torch

from pretrain.attention.documents import Documents
from pretrain.attention.need import Attend, Need


class Lengths(NamedTuple):
    """What these kernels are told."""

    queries_D1: torch.Tensor
    """int32: where each slice begins among the queries, and the end."""
    keys_D1: torch.Tensor
    """int32: where what it looks at begins among the keys, and the end."""
    most_queries: int
    most_keys: int
    keys_S: torch.Tensor | None
    """int64: which keys of the row the slices look at, end to end; none if all, once each, as they stand."""


def lengths(documents: Documents, device: torch.device) -> Lengths:
    """Of documents, on a device."""
    queries = [one.length for one in documents.slices]
    keys = [one.end - one.begin for one in documents.slices]
    at = None
    if not documents.whole:
        at = torch.cat([torch.arange(one.begin, one.end) for one in documents.slices]).to(device, non_blocking=True)
    queries_D1 = _cumulative(queries, device)
    return Lengths(
        queries_D1, queries_D1 if documents.whole else _cumulative(keys, device), max(queries), max(keys), at
    )


def _cumulative(counts: Sequence[int], device: torch.device) -> torch.Tensor:
    return torch.tensor([0, *accumulate(counts)], dtype=torch.int32).to(device, non_blocking=True)


_Kernel = Callable[[torch.Tensor, torch.Tensor, torch.Tensor, Lengths, float | None], torch.Tensor]
"""(query_QHK, key_SGK, value_SGK, lengths, scale) -> out_QHK"""


def positions_first(kernel: _Kernel) -> Attend:
    """An `Attend` of a kernel that wants positions first."""

    def attend(
        query_HQK: torch.Tensor,
        key_GTK: torch.Tensor,
        value_GTK: torch.Tensor,
        documents: Documents,
        scale: float | None = None,
    ) -> torch.Tensor:
        told = documents.once(lengths, query_HQK.device)
        query_QHK, key_SGK, value_SGK = (one.transpose(0, 1) for one in (query_HQK, key_GTK, value_GTK))
        if told.keys_S is not None:
            key_SGK, value_SGK = key_SGK.index_select(0, told.keys_S), value_SGK.index_select(0, told.keys_S)
        return kernel(query_QHK, key_SGK, value_SGK, told, scale).transpose(0, 1)

    return attend


def varlen(need: Need) -> Attend:
    """torch's FlashAttention.

    Source: torch 2.13, torch/nn/attention/varlen.py, `varlen_attn`; a window of (-1, 0) is its word for causal.
    """
    from torch.nn.attention.varlen import varlen_attn

    grouped = need.query_heads != need.key_heads

    def kernel(
        query_QHK: torch.Tensor, key_SGK: torch.Tensor, value_SGK: torch.Tensor, told: Lengths, scale: float | None
    ) -> torch.Tensor:
        out = varlen_attn(
            query_QHK,
            key_SGK,
            value_SGK,
            told.queries_D1,
            told.keys_D1,
            told.most_queries,
            told.most_keys,
            scale=scale,
            window_size=(-1, 0),
            enable_gqa=grouped,
        )
        assert isinstance(out, torch.Tensor)  # a pair only if more was asked for
        return out

    return positions_first(kernel)


def flash_attn(need: Need) -> Attend:
    """The flash-attn package.

    Source: Dao-AILab/flash-attention, flash_attn/flash_attn_interface.py, `flash_attn_varlen_func`; grouped heads
    need no word. From 2.1 on its causal mask ends at the last query and the last key.
    """
    from flash_attn import flash_attn_varlen_func

    def kernel(
        query_QHK: torch.Tensor, key_SGK: torch.Tensor, value_SGK: torch.Tensor, told: Lengths, scale: float | None
    ) -> torch.Tensor:
        out: torch.Tensor = flash_attn_varlen_func(
            query_QHK,
            key_SGK,
            value_SGK,
            cu_seqlens_q=told.queries_D1,
            cu_seqlens_k=told.keys_D1,
            max_seqlen_q=told.most_queries,
            max_seqlen_k=told.most_keys,
            softmax_scale=scale,
            causal=True,
            deterministic=torch.are_deterministic_algorithms_enabled(),
        )
        return out

    return positions_first(kernel)


def transformer_engine(need: Need) -> Attend:
    """Transformer Engine, which has cuDNN's attention and others, and takes what suits the device.

    Source: NVIDIA/TransformerEngine, transformer_engine/pytorch/attention/dot_product_attention,
    `DotProductAttention`, with positions of documents end to end ("thd").
    """
    from transformer_engine.pytorch import DotProductAttention

    mask = "padding_causal_bottom_right" if need.sliced else "padding_causal"
    by_scale: dict[tuple[float | None, bool], Any] = {}

    def kernel(
        query_QHK: torch.Tensor, key_SGK: torch.Tensor, value_SGK: torch.Tensor, told: Lengths, scale: float | None
    ) -> torch.Tensor:
        # A module fixes its scale when it is made, and whether its backward pass is deterministic.
        key = (scale, torch.are_deterministic_algorithms_enabled())
        if key not in by_scale:
            by_scale[key] = DotProductAttention(
                need.query_heads,
                need.head_dim,
                num_gqa_groups=need.key_heads,
                attention_dropout=0.0,
                qkv_format="thd",
                attn_mask_type=mask,
                attention_type="cross" if need.sliced else "self",
                softmax_scale=scale,
            )
        # cuDNN's take heads and positions for end to end; a gap behind a single head was overlooked (issue 1195).
        out: torch.Tensor = by_scale[key](
            query_QHK.contiguous(),
            key_SGK.contiguous(),
            value_SGK.contiguous(),
            qkv_format="thd",
            cu_seqlens_q=told.queries_D1,
            cu_seqlens_kv=told.keys_D1,
            max_seqlen_q=told.most_queries,
            max_seqlen_kv=told.most_keys,
            attn_mask_type=mask,
        )
        return out.view(query_QHK.shape)  # it lays the heads end to end

    return positions_first(kernel)
