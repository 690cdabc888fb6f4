"""A kernel as transformers calls it: registered in its AttentionInterface under a name of ours.

Shapes: H query heads, G key/value heads (H a multiple of G), T positions, K numbers per head.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers import AttentionInterface

from configs.schema.pretrain import AttentionKernel
from pretrain.attention.documents import Documents
from pretrain.attention.kernels import KERNELS, loaded
from pretrain.attention.need import Attend, Need


def register(kernel: AttentionKernel, need: Need) -> str:
    """Make the attention known to transformers; gives the name to set as `attn_implementation`.

    No mask function is registered beside it: transformers then builds none, and documents are told by bounds.
    """
    # transformers looks for words such as "flash" in a name, and then expects its own kernel behind it.
    name = f"tsugiki_packed_{list(KERNELS).index(kernel)}"
    AttentionInterface.register(name, _for_transformers(loaded(kernel, need)))
    return name


def _for_transformers(attend: Attend) -> Any:
    """The signature that transformers calls; `documents` comes through the model's keyword arguments."""

    def attention(
        module: torch.nn.Module,
        query_1HTK: torch.Tensor,
        key_1GTK: torch.Tensor,
        value_1GTK: torch.Tensor,
        attention_mask: torch.Tensor | None,
        scaling: float | None = None,
        documents: Documents | None = None,
        **_: Any,
    ) -> tuple[torch.Tensor, None]:
        if documents is None or attention_mask is not None:
            raise ValueError("packed attention needs documents and takes no mask")
        out_HTK = attend(query_1HTK[0], key_1GTK[0], value_1GTK[0], documents, scaling)
        return out_HTK.transpose(0, 1)[None], None

    return attention
