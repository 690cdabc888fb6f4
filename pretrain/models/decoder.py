"""The decoder that Llama began and most dense families still are: its rows and what megatron-core must know of it.

Nothing here imports megatron-core: the table also serves conversion, and the configuration is plain keywords.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch.nn.functional as F  # noqa: N812  # torch's own customary name
from torch import nn
from transformers import PretrainedConfig

from pretrain.models.rows import GroupedQkv, Row, Same, Stacked

_ACTIVATIONS = {"silu": F.silu}


def head_dim(config: PretrainedConfig) -> int:
    """Numbers per attention head."""
    given = getattr(config, "head_dim", None)
    return int(given if given is not None else config.hidden_size // config.num_attention_heads)


@dataclass(frozen=True)
class Decoder:
    """A family of pre-norm decoders with RMSNorm, rotary embedding, grouped heads and a gated feed-forward part."""

    models: str
    """Published models of this kind, for those who ask what is supported."""
    rotary_class: Callable[[Any], nn.Module]
    """The family's rotary module in transformers."""
    qkv_bias: bool = False
    """Whether the query, key and value projections add a bias."""
    qk_norm: bool = False
    """Whether queries and keys are normalised, each head on its own, before they are rotated."""

    def rows(self, config: PretrainedConfig) -> list[Row]:
        """One row per parameter of a whole `GPTModel` in megatron-core's local layer spec.

        A tied output embedding is the input embedding and has no row.

        Source: parameter names of megatron-core `GPTModel` with `get_gpt_layer_local_spec`.
        """
        vocab, hidden = config.vocab_size, config.hidden_size
        table: list[Row] = [
            Same("embedding.word_embeddings.weight", "model.embed_tokens.weight", (vocab, hidden), tp_dim=0),
            Same("decoder.final_layernorm.weight", "model.norm.weight", (hidden,)),
        ]
        if not config.tie_word_embeddings:
            table.append(Same("output_layer.weight", "lm_head.weight", (vocab, hidden), tp_dim=0))
        for layer in range(config.num_hidden_layers):
            core, hf = f"decoder.layers.{layer}.", f"model.layers.{layer}."
            table += self._attention_rows(config, core + "self_attention.", hf + "self_attn.")
            table += _other_rows(config, core, hf)
        return table

    def _attention_rows(self, config: PretrainedConfig, core: str, hf: str) -> list[Row]:
        hidden, size = config.hidden_size, head_dim(config)
        groups, queries = config.num_key_value_heads, config.num_attention_heads // config.num_key_value_heads
        inner = (groups, queries + 2, size)

        def qkv(what: str) -> tuple[str, str, str]:
            return (f"{hf}q_proj.{what}", f"{hf}k_proj.{what}", f"{hf}v_proj.{what}")

        table: list[Row] = [
            GroupedQkv(core + "linear_qkv.weight", qkv("weight"), (*inner, hidden)),
            Same(core + "linear_proj.weight", hf + "o_proj.weight", (hidden, groups * queries * size), tp_dim=1),
        ]
        if self.qkv_bias:
            table.append(GroupedQkv(core + "linear_qkv.bias", qkv("bias"), inner))
        if self.qk_norm:
            table += [
                Same(core + "q_layernorm.weight", hf + "q_norm.weight", (size,)),
                Same(core + "k_layernorm.weight", hf + "k_norm.weight", (size,)),
            ]
        return table

    def transformer_config(self, config: PretrainedConfig) -> dict[str, Any]:
        """Keywords of megatron-core's `TransformerConfig` that the architecture decides."""
        return {
            "num_layers": config.num_hidden_layers,
            "hidden_size": config.hidden_size,
            "ffn_hidden_size": config.intermediate_size,
            "num_attention_heads": config.num_attention_heads,
            "num_query_groups": config.num_key_value_heads,
            "kv_channels": head_dim(config),
            "normalization": "RMSNorm",
            "layernorm_epsilon": config.rms_norm_eps,
            "qk_layernorm": self.qk_norm,
            "gated_linear_unit": True,
            "activation_func": _ACTIVATIONS[config.hidden_act],
            "add_bias_linear": False,
            "add_qkv_bias": self.qkv_bias,
            "hidden_dropout": 0.0,
            "attention_dropout": 0.0,
        }

    def rotary(self, config: PretrainedConfig) -> nn.Module:
        """Cosines and sines by position, scaled as the configuration asks for; the very module HF runs."""
        return self.rotary_class(config)

    def refusals(self, config: PretrainedConfig) -> list[str]:
        """What of a configuration this family does not know; nothing if it can be trained."""
        wrong = []
        if config.hidden_act not in _ACTIVATIONS:
            wrong.append(f"hidden_act {config.hidden_act!r} (supported: {', '.join(_ACTIVATIONS)})")
        if config.num_attention_heads % config.num_key_value_heads:
            wrong.append(
                f"{config.num_attention_heads} attention heads in {config.num_key_value_heads} groups of unequal size"
            )
        if getattr(config, "attention_bias", False):
            wrong.append("attention_bias (biases in the attention output; those of Qwen2 have none there)")
        if getattr(config, "mlp_bias", False):
            wrong.append("mlp_bias")
        return wrong


def _other_rows(config: PretrainedConfig, core: str, hf: str) -> list[Row]:
    hidden, inner = config.hidden_size, config.intermediate_size
    gate_and_up = (hf + "mlp.gate_proj.weight", hf + "mlp.up_proj.weight")
    return [
        Same(core + "input_layernorm.weight", hf + "input_layernorm.weight", (hidden,)),
        Same(core + "pre_mlp_layernorm.weight", hf + "post_attention_layernorm.weight", (hidden,)),
        Stacked(core + "mlp.linear_fc1.weight", gate_and_up, (2, inner, hidden)),
        Same(core + "mlp.linear_fc2.weight", hf + "mlp.down_proj.weight", (hidden, inner), tp_dim=1),
    ]
