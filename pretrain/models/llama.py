"""Llama: the table of rows and the configuration that megatron-core needs.

Nothing here imports megatron-core: the table also serves conversion, and the configuration is plain keywords.
"""

from __future__ import annotations

from typing import Any, cast

import torch.nn.functional as F  # noqa: N812  # torch's own customary name
from torch import nn
from transformers import LlamaConfig, PretrainedConfig
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

from configs.errors import UserError
from pretrain.models.rows import GroupedQkv, Row, Same, Stacked

_ACTIVATIONS = {"silu": F.silu}


def head_dim(config: PretrainedConfig) -> int:
    """Numbers per attention head."""
    given = getattr(config, "head_dim", None)
    return int(given if given is not None else config.hidden_size // config.num_attention_heads)


def rows(config: PretrainedConfig) -> list[Row]:
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
        table += _layer_rows(config, f"decoder.layers.{layer}.", f"model.layers.{layer}.")
    return table


def _layer_rows(config: PretrainedConfig, core: str, hf: str) -> list[Row]:
    hidden, inner = config.hidden_size, config.intermediate_size
    groups, size = config.num_key_value_heads, head_dim(config)
    queries = config.num_attention_heads // groups
    attention = hf + "self_attn."
    return [
        Same(core + "input_layernorm.weight", hf + "input_layernorm.weight", (hidden,)),
        GroupedQkv(
            core + "self_attention.linear_qkv.weight",
            (attention + "q_proj.weight", attention + "k_proj.weight", attention + "v_proj.weight"),
            (groups, queries + 2, size, hidden),
        ),
        Same(
            core + "self_attention.linear_proj.weight",
            attention + "o_proj.weight",
            (hidden, groups * queries * size),
            tp_dim=1,
        ),
        Same(core + "pre_mlp_layernorm.weight", hf + "post_attention_layernorm.weight", (hidden,)),
        Stacked(
            core + "mlp.linear_fc1.weight", (hf + "mlp.gate_proj.weight", hf + "mlp.up_proj.weight"), (2, inner, hidden)
        ),
        Same(core + "mlp.linear_fc2.weight", hf + "mlp.down_proj.weight", (hidden, inner), tp_dim=1),
    ]


def transformer_config(config: PretrainedConfig) -> dict[str, Any]:
    """Keywords of megatron-core's `TransformerConfig` that the architecture decides.

    Raises:
        UserError: if the activation function is one that Llama does not have.
    """
    if config.hidden_act not in _ACTIVATIONS:
        raise UserError(f"hidden_act {config.hidden_act!r} is not supported; supported: {', '.join(_ACTIVATIONS)}")
    return {
        "num_layers": config.num_hidden_layers,
        "hidden_size": config.hidden_size,
        "ffn_hidden_size": config.intermediate_size,
        "num_attention_heads": config.num_attention_heads,
        "num_query_groups": config.num_key_value_heads,
        "kv_channels": head_dim(config),
        "normalization": "RMSNorm",
        "layernorm_epsilon": config.rms_norm_eps,
        "gated_linear_unit": True,
        "activation_func": _ACTIVATIONS[config.hidden_act],
        "add_bias_linear": False,
        "add_qkv_bias": False,
        "hidden_dropout": 0.0,
        "attention_dropout": 0.0,
    }


def rotary(config: PretrainedConfig) -> nn.Module:
    """Cosines and sines by position, with the scaling that the configuration asks for; the very module HF runs."""
    module: nn.Module = LlamaRotaryEmbedding(cast(LlamaConfig, config))
    return module
