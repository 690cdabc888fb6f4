"""FLOPs of a model, against those that torch counts when the model runs."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode
from transformers import LlamaConfig

from pretrain.engines import hf_model
from pretrain.flops import ModelFlops, causal_pairs, utilisation


def llama(*, tied: bool) -> LlamaConfig:
    """A small Llama with grouped heads."""
    return LlamaConfig(
        vocab_size=96,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        tie_word_embeddings=tied,
    )


@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
def test_a_step_needs_what_torch_counts_but_for_the_future_that_its_kernel_also_multiplies(tied: bool) -> None:
    """torch counts a document of n tokens as n x n pairs, causal or not."""
    config, lengths = llama(tied=tied), [10, 22]
    model = hf_model.PackedLoss(hf_model.empty_model(config))
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.02)
    bounds = [0, 10, 32]
    tokens_T = torch.arange(32)
    labels_T = torch.roll(tokens_T, -1)
    positions_T = torch.cat([torch.arange(length) for length in lengths])
    with FlopCounterMode(display=False) as counted, sdpa_kernel(SDPBackend.MATH):
        model(tokens_T, positions_T, bounds, torch.arange(32), labels_T).objective.backward()
    flops = ModelFlops.of(config)
    square = sum(length * length for length in lengths)
    assert counted.get_total_flops() == flops.of_step(32, square)
    assert flops.of_step(32, causal_pairs(bounds)) < counted.get_total_flops()


def test_the_output_embedding_counts_once_whether_or_not_it_is_tied() -> None:
    assert ModelFlops.of(llama(tied=True)) == ModelFlops.of(llama(tied=False))


def test_llama_8b_needs_what_is_known_of_it() -> None:
    """8.03e9 parameters less an input embedding of 128,256 x 4,096: 45.0 GFLOPs per token without attention."""
    config = LlamaConfig(
        vocab_size=128_256,
        hidden_size=4096,
        intermediate_size=14_336,
        num_hidden_layers=32,
        num_attention_heads=32,
        num_key_value_heads=8,
    )
    flops = ModelFlops.of(config)
    assert flops.per_token == pytest.approx(6 * (8_030_261_248 - 128_256 * 4096), rel=1e-4)
    assert flops.per_pair == 12 * 32 * 4096


@given(st.lists(st.integers(1, 60), min_size=1, max_size=8))
def test_pairs_are_those_of_a_causal_mask_within_documents(lengths: list[int]) -> None:
    bounds = [0, *torch.tensor(lengths).cumsum(0).tolist()]
    document_T = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))
    mask_TT = (document_T[:, None] == document_T) & torch.ones(len(document_T), len(document_T)).tril().bool()
    assert causal_pairs(bounds) == int(mask_TT.sum())


def test_utilisation_is_a_share_of_all_devices() -> None:
    assert utilisation(8e15, 2.0, 8, 1e15) == 0.5
