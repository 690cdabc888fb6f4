"""Mistral's family; a window on its attention is refused where it would be felt."""

from __future__ import annotations

from transformers.models.mistral.modeling_mistral import MistralRotaryEmbedding

from pretrain.models.decoder import Decoder

FAMILY = Decoder("Mistral", MistralRotaryEmbedding)
