"""What stands in megatron-core's layers for its own: attention within documents, rotation by position, the norm.

Shapes: T positions of a micro-batch on this rank, h query and g key/value heads of this tensor rank, K numbers per
head.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from megatron.core import parallel_state
from torch import nn

from pretrain.attention.documents import Documents
from pretrain.attention.need import Attend
from pretrain.engines.megatron import context


@dataclass(frozen=True)
class Here:
    """What attention needs to know of this rank's positions of a micro-batch."""

    documents: Documents
    attend: Attend
    """The kernel."""
    cos_TK: torch.Tensor
    sin_TK: torch.Tensor


def here(share: context.Share, attend: Attend, rotary: nn.Module) -> Here:
    """Documents and rotation of each position.

    Args:
        rotary: gives (cos, sin) by position, as transformers' rotary modules do.
    """
    positions_T = share.batch.positions_T
    cos_1TK, sin_1TK = rotary(torch.empty(0, dtype=torch.float32, device=positions_T.device), positions_T[None])
    return Here(share.documents, attend, cos_1TK[0], sin_1TK[0])


class PackedCoreAttention(nn.Module):
    """The `core_attention` of megatron-core's SelfAttention.

    The rotation is here too, as Hugging Face does it (rotate_half, not interleaved), by the positions of the
    micro-batch: they restart with each document, and any scaling that transformers knows is in cos and sin.
    """

    def __init__(self, *, softmax_scale: float | None = None, **_: Any) -> None:
        super().__init__()
        self._scale = softmax_scale

    def forward(
        self,
        query_ThK: torch.Tensor,
        key_TgK: torch.Tensor,
        value_TgK: torch.Tensor,
        attention_mask: torch.Tensor | None,
        *,
        packed_seq_params: Any,
        **_: Any,
    ) -> torch.Tensor:
        """Attend within documents.

        Returns:
            Shape (T, h * K).
        """
        here: Here = packed_seq_params.here
        query_ThK, key_TgK = rotate(query_ThK, here), rotate(key_TgK, here)
        if parallel_state.get_context_parallel_world_size() > 1:
            key_TgK, value_TgK = context.gathered(key_TgK, value_TgK, parallel_state.get_context_parallel_group())
        query_hTK, key_gTK, value_gTK = (one.transpose(0, 1) for one in (query_ThK, key_TgK, value_TgK))
        out_hTK = here.attend(query_hTK, key_gTK, value_gTK, here.documents, self._scale)
        return out_hTK.transpose(0, 1).flatten(1)


def rotate(heads_TnK: torch.Tensor, by: Here) -> torch.Tensor:
    """Rotate the halves of each head by the angles of its position, in float32.

    Source: `apply_rotary_pos_emb` of transformers' modeling_llama.
    """
    first, second = heads_TnK.chunk(2, dim=-1)
    rotated = heads_TnK * by.cos_TK[:, None] + torch.cat((-second, first), dim=-1) * by.sin_TK[:, None]
    return rotated.to(heads_TnK.dtype)


class RmsNorm(nn.Module):
    """Llama's norm; unlike the stock local one it can also run sequence-parallel.

    Source: transformers' `LlamaRMSNorm`, so that the engines agree to the last digits.
    """

    def __init__(self, config: Any, hidden_size: int, eps: float, **_: Any) -> None:
        super().__init__()
        self.weight = nn.Parameter(
            torch.ones(hidden_size, dtype=config.params_dtype, device=torch.cuda.current_device())
        )
        # megatron-core sums the gradient over tensor ranks by this mark.
        self.weight.sequence_parallel = config.sequence_parallel  # type: ignore[attr-defined]
        self._eps = eps

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """The input scaled to unit mean square over its last dimension, times the weight."""
        wide = hidden.float()
        normed = wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + self._eps)
        return self.weight * normed.to(hidden.dtype)
