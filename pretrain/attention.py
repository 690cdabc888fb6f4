"""Causal attention that never crosses a document boundary, on torch's own kernels.

Shapes: H query heads, G key/value heads (H a multiple of G), T positions, K numbers per head.
"""

from __future__ import annotations

import itertools
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812  # torch's own customary name
from transformers import AttentionInterface

NAME = "tsugiki_packed"


def packed_attention(
    query_HTK: torch.Tensor,
    key_GTK: torch.Tensor,
    value_GTK: torch.Tensor,
    cu_seqlens: list[int],
    scale: float | None = None,
) -> torch.Tensor:
    """Attend within each document.

    Each document is its own kernel call, so no number of one can reach another, not even through a mask.

    Args:
        cu_seqlens: D + 1 document boundaries, from 0 to T.
        scale: factor on the scores; none takes 1/sqrt(K).
    Returns:
        Shape (H, T, K), dtype of the query.
    """
    repeats = query_HTK.shape[0] // key_GTK.shape[0]
    if repeats > 1:
        # CPU kernels take the slow path for grouped heads; the copy is small beside the scores.
        key_GTK = key_GTK.repeat_interleave(repeats, dim=0)
        value_GTK = value_GTK.repeat_interleave(repeats, dim=0)
    lengths = [end - start for start, end in itertools.pairwise(cu_seqlens)]
    pieces = [
        F.scaled_dot_product_attention(q[None], k[None], v[None], is_causal=True, scale=scale)[0]
        for q, k, v in zip(
            torch.split(query_HTK, lengths, dim=1),
            torch.split(key_GTK, lengths, dim=1),
            torch.split(value_GTK, lengths, dim=1),
            strict=True,
        )
    ]
    return torch.cat(pieces, dim=1)


def _for_transformers(
    module: torch.nn.Module,
    query_1HTK: torch.Tensor,
    key_1GTK: torch.Tensor,
    value_1GTK: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    document_bounds: list[int] | None = None,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """The signature that transformers calls; `document_bounds` comes through the model's keyword arguments."""
    if document_bounds is None or attention_mask is not None:
        raise ValueError("packed attention needs document_bounds and takes no mask")
    out_HTK = packed_attention(query_1HTK[0], key_1GTK[0], value_1GTK[0], document_bounds, scaling)
    return out_HTK.transpose(0, 1)[None], None


def register() -> str:
    """Make the attention known to transformers; gives the name to set as `attn_implementation`.

    No mask function is registered beside it: transformers then builds none, and documents are told by bounds.
    """
    AttentionInterface.register(NAME, _for_transformers)
    return NAME
