"""Qwen3's dense family: normalised queries and keys, and heads that are wider than hidden size / heads."""

from __future__ import annotations

from transformers.models.qwen3.modeling_qwen3 import Qwen3RotaryEmbedding

from pretrain.models.decoder import Decoder

FAMILY = Decoder("Qwen3, dense", Qwen3RotaryEmbedding, qk_norm=True)
