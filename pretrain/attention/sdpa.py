"""Attention by one call of torch's scaled_dot_product_attention for each document: the reference, on any device.

A document's call gets no number of another one, so that none can reach it, not even through a mask.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812  # torch's own customary name

from pretrain.attention.documents import Documents


def attend(
    query_HQK: torch.Tensor,
    key_GTK: torch.Tensor,
    value_GTK: torch.Tensor,
    documents: Documents,
    scale: float | None = None,
) -> torch.Tensor:
    """See `Attend`."""
    repeats = query_HQK.shape[0] // key_GTK.shape[0]
    if repeats > 1:
        # CPU kernels take the slow path for grouped heads; the copy is small beside the scores.
        key_GTK = key_GTK.repeat_interleave(repeats, dim=0)
        value_GTK = value_GTK.repeat_interleave(repeats, dim=0)
    lengths = [one.length for one in documents.slices]
    pieces = [
        _causal(query, key, value, scale)
        for query, key, value in zip(
            torch.split(query_HQK, lengths, dim=1),
            _seen(key_GTK, documents, lengths),
            _seen(value_GTK, documents, lengths),
            strict=True,
        )
    ]
    return torch.cat(pieces, dim=1)


def _seen(keys_HTK: torch.Tensor, documents: Documents, lengths: list[int]) -> tuple[torch.Tensor, ...]:
    """What each slice looks at."""
    if documents.whole:
        return torch.split(keys_HTK, lengths, dim=1)
    return tuple(keys_HTK[:, one.begin : one.end] for one in documents.slices)


def _causal(
    query_HQK: torch.Tensor, key_HTK: torch.Tensor, value_HTK: torch.Tensor, scale: float | None
) -> torch.Tensor:
    """Attention in which the last query sees all keys, the one before all but one, and so on."""
    queries, keys = query_HQK.shape[1], key_HTK.shape[1]
    mask = None
    if queries < keys:
        mask = torch.ones(queries, keys, dtype=torch.bool, device=query_HQK.device).tril(keys - queries)
    return F.scaled_dot_product_attention(
        query_HQK[None], key_HTK[None], value_HTK[None], attn_mask=mask, is_causal=mask is None, scale=scale
    )[0]
