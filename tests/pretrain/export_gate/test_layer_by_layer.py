"""With one layer in memory at a time the logits are bit for bit those of the whole model, for every family."""

from __future__ import annotations

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from pretrain.export_gate.layer_by_layer import causal_mask, logits
from pretrain.models.family import SUPPORTED

DOCUMENTS = [[1, 5, 7, 8, 30], [3, 4] * 20, [2]]


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("model_type", SUPPORTED)
def test_logits_are_those_of_the_whole_model(model_type: str, tied: bool) -> None:
    config = AutoConfig.for_model(
        model_type,
        vocab_size=37,
        hidden_size=24,
        intermediate_size=20,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=10,
        tie_word_embeddings=tied,
    )
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager").eval()
    weights = dict(model.named_parameters())
    found = list(logits(config, "eager", lambda name: weights[name].detach(), DOCUMENTS, causal_mask))
    for ids, one in zip(DOCUMENTS, found, strict=True):
        with torch.no_grad():
            assert torch.equal(one, model(input_ids=torch.tensor([ids]), use_cache=False).logits[0])


def test_whoever_asks_between_documents_still_has_gradients() -> None:
    config = AutoConfig.for_model(
        "llama", vocab_size=9, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2
    )
    weights = dict(AutoModelForCausalLM.from_config(config).named_parameters())
    found = logits(config, "eager", lambda name: weights[name].detach(), [[1], [2]], causal_mask)
    assert not next(found).requires_grad
    assert torch.is_grad_enabled()
