"""Llama's table against the architecture as transformers builds it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, LlamaConfig

from configs.errors import UserError
from pretrain.checkpoint.boxes import Box
from pretrain.models import llama
from pretrain.models.rows import check_complete


def config(**changes: Any) -> LlamaConfig:
    settings: dict[str, Any] = {
        "vocab_size": 37,
        "hidden_size": 24,
        "intermediate_size": 40,
        "num_hidden_layers": 2,
        "num_attention_heads": 6,
        "num_key_value_heads": 2,
        "tie_word_embeddings": False,
    }
    return LlamaConfig(**{**settings, **changes})


def hf_shapes(settings: LlamaConfig) -> dict[str, tuple[int, ...]]:
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(settings)
    return {name: tuple(parameter.shape) for name, parameter in model.named_parameters()}


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param(config(), id="untied"),
        pytest.param(config(tie_word_embeddings=True), id="tied"),
        pytest.param(config(head_dim=8), id="heads wider than hidden"),
        pytest.param(config(num_key_value_heads=6), id="no grouping"),
    ],
)
def test_the_table_explains_every_tensor_of_the_architecture(settings: LlamaConfig) -> None:
    table = llama.rows(settings)
    check_complete(table, hf_shapes(settings), [row.core for row in table])


def test_biases_that_the_table_does_not_know_are_named() -> None:
    settings = config(attention_bias=True)
    table = llama.rows(settings)
    with pytest.raises(UserError, match=r"model\.layers\.0\.self_attn\.q_proj\.bias"):
        check_complete(table, hf_shapes(settings), [row.core for row in table])


def test_every_number_of_the_core_model_is_one_number_of_the_hf_model() -> None:
    settings = config()
    seen = {name: torch.zeros(shape) for name, shape in hf_shapes(settings).items()}
    for row in llama.rows(settings):
        for piece in row.to_hf(Box.whole(row.shape)):
            seen[piece.name][piece.hf.slices] += 1
    assert all(bool((count == 1).all()) for count in seen.values())


def test_an_unknown_activation_is_refused() -> None:
    with pytest.raises(UserError, match="hidden_act 'gelu' is not supported"):
        llama.transformer_config(config(hidden_act="gelu"))
