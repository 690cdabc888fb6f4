"""The formula of activations holds against what torch really keeps for the backward pass."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from transformers import AutoConfig

from configs.schema.pretrain import Parallel
from pretrain.attention.documents import Documents
from pretrain.engines import hf_model
from pretrain.estimate.activations import kept_bytes, layer_bytes, logit_bytes
from pretrain.estimate.held import held
from pretrain.estimate.setup import Model, Setup
from pretrain.parameters import Parameters

TOKENS = 256
PLAIN = Setup("single", 1, Parallel(), "fp32", 1, TOKENS, TOKENS)


def model_of(model_type: str, layers: int = 2, **changes: Any) -> Model:
    config = AutoConfig.for_model(
        model_type,
        vocab_size=64,
        hidden_size=256,
        intermediate_size=704,
        num_hidden_layers=layers,
        num_attention_heads=8,
        head_dim=32,
        num_key_value_heads=2,
        **changes,
    )
    return Model(config, Parameters.of(config), 64)


def really_kept(model: Model, precision: str) -> int:
    """Bytes of the distinct storages that a forward pass over one document saves, parameters left out."""
    module = hf_model.empty_model(model.config, hf_model.DTYPES[precision])
    of_parameters = {parameter.untyped_storage().data_ptr() for parameter in module.parameters()}
    kept: dict[int, tuple[int, torch.Tensor]] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in of_parameters:
            kept[storage.data_ptr()] = (storage.nbytes(), tensor)  # held, so that no address is used again
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        module.base_model(
            input_ids=torch.arange(TOKENS)[None] % 64,
            position_ids=torch.arange(TOKENS)[None],
            use_cache=False,
            documents=Documents.of([0, TOKENS]),
        )
    return sum(size for size, _ in kept.values())


@pytest.mark.parametrize("model_type", ["llama", "qwen3"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_layer_keeps_what_the_formula_says(model_type: str, precision: Any) -> None:
    one, three = model_of(model_type, 1), model_of(model_type, 3)
    layer = (really_kept(three, precision) - really_kept(one, precision)) / 2
    assert TOKENS * layer_bytes(one, replace(PLAIN, precision=precision)) == pytest.approx(layer, rel=0.1)


def test_tensor_ranks_share_a_layer_and_sequence_parallelism_the_rest() -> None:
    model = model_of("llama")
    whole, two = layer_bytes(model, PLAIN), layer_bytes(model, replace(PLAIN, engine="megatron").laid_out(tensor=2))
    assert whole / 2 < two < whole
    assert layer_bytes(model, replace(PLAIN, engine="megatron").laid_out(tensor=2, sequence=True)) == whole / 2


def test_recomputation_keeps_a_layers_input_and_one_whole_layer() -> None:
    model, recomputed = model_of("llama", layers=8), replace(PLAIN, recompute="layers")
    (here,) = held(model, PLAIN)
    inputs = 8 * TOKENS * 4 * 256
    assert kept_bytes(model, recomputed, here) == inputs + TOKENS * layer_bytes(model, PLAIN)
    assert kept_bytes(model, recomputed, here) < kept_bytes(model, PLAIN, here) / 4


def test_the_first_pipeline_stage_keeps_a_micro_batch_for_each_stage_but_never_more_than_there_are() -> None:
    model = model_of("llama", layers=4)
    setup = replace(PLAIN, engine="megatron", batch_tokens=8 * TOKENS).laid_out(processes=4, pipeline=4)
    first, *_, last = held(model, setup)
    layer = TOKENS * layer_bytes(model, setup)
    assert 4 * layer < kept_bytes(model, setup, first) < 5 * layer
    assert layer < kept_bytes(model, setup, last) < 2 * layer
    two = replace(setup, batch_tokens=2 * TOKENS)
    assert kept_bytes(model, two, first) == kept_bytes(model, setup, first) / 2


def test_logits_are_whole_in_megatron_and_in_pieces_elsewhere() -> None:
    """What both really take is measured in tests/pretrain/engines: test_vocab_pieces.py, test_loss_head.py."""
    model = model_of("llama")
    long = replace(PLAIN, precision="bf16", seq_len=2**22, batch_tokens=2**22)
    (here,) = held(model, long)
    assert logit_bytes(model, long, here) == 6 * 2**27 + 8 * 64 * 256
    core = replace(long, engine="megatron")
    assert logit_bytes(model, core, held(model, core)[0]) == 2 * 2**22 * 64 + 6 * 2**27
    wide = Model(AutoConfig.for_model("llama", hidden_size=8192), model.parameters, 64)
    short = replace(core, seq_len=4096, batch_tokens=4096)
    rows = replace(held(model, core)[0], vocabulary=128_000)
    assert logit_bytes(wide, short, rows) == 2 * 4096 * 128_000 + 2 * 8192 * 128_000
