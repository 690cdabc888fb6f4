"""Qwen2's family: biases on queries, keys and values."""

from __future__ import annotations

from transformers.models.qwen2.modeling_qwen2 import Qwen2RotaryEmbedding

from pretrain.models.decoder import Decoder

FAMILY = Decoder("Qwen2 and 2.5", Qwen2RotaryEmbedding, qkv_bias=True)
