"""Llama's family."""

from __future__ import annotations

from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

from pretrain.models.decoder import Decoder

FAMILY = Decoder("Llama 2 and 3, SmolLM2, llm-jp, Swallow", LlamaRotaryEmbedding)
