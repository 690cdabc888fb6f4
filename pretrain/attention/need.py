"""What attention is asked for: on which device, in which numbers, of which heads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from transformers import PretrainedConfig

from pretrain.attention.documents import Documents
from pretrain.models.decoder import head_dim

Attend = Callable[[torch.Tensor, torch.Tensor, torch.Tensor, Documents, float | None], torch.Tensor]
"""(query_HQK, key_GTK, value_GTK, documents, scale) -> out_HQK, causal and within documents.

H query heads, G key/value heads (H a multiple of G), Q positions on this rank, T of the whole row, K numbers per head.
A scale of none is 1/sqrt(K)."""


@dataclass(frozen=True)
class Need:
    """Of one rank."""

    device: torch.device
    dtype: torch.dtype
    query_heads: int
    key_heads: int
    head_dim: int
    sliced: bool
    """Whether documents may lie on several ranks: a query then looks at more keys than there are queries."""

    @classmethod
    def of(
        cls,
        config: PretrainedConfig,
        dtype: torch.dtype,
        device: torch.device,
        *,
        tensor: int = 1,
        context: int = 1,
    ) -> Need:
        """Of a model.

        Args:
            dtype: that its matrices multiply in.
            tensor: ranks that share its heads; a number that does not divide them is refused elsewhere.
            context: ranks that share its positions.
        """
        return cls(
            device=device,
            dtype=dtype,
            query_heads=max(1, config.num_attention_heads // tensor),
            key_heads=max(1, config.num_key_value_heads // tensor),
            head_dim=head_dim(config),
            sliced=context > 1,
        )
