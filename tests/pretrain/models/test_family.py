"""Each family's table against the architecture as transformers builds it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, PretrainedConfig

import pretrain.models.families
from configs.errors import UserError
from pretrain.attention.documents import Documents
from pretrain.attention.interface import register
from pretrain.attention.need import Need
from pretrain.checkpoint.boxes import Box
from pretrain.models.family import SUPPORTED, family, supported
from pretrain.models.rows import check_complete

every_family = pytest.mark.parametrize("model_type", SUPPORTED)


def config(model_type: str, **changes: Any) -> PretrainedConfig:
    settings: dict[str, Any] = {
        "vocab_size": 37,
        "hidden_size": 24,
        "intermediate_size": 40,
        "num_hidden_layers": 2,
        "num_attention_heads": 6,
        "num_key_value_heads": 2,
        "tie_word_embeddings": False,
        "head_dim": 4,
    }
    return AutoConfig.for_model(model_type, **{**settings, **changes})


def hf_shapes(settings: PretrainedConfig) -> dict[str, tuple[int, ...]]:
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(settings)
    return {name: tuple(parameter.shape) for name, parameter in model.named_parameters()}


def test_every_file_of_families_is_one_that_is_supported() -> None:
    folder = Path(pretrain.models.families.__path__[0])
    assert set(SUPPORTED) == {path.stem for path in folder.glob("*.py")} - {"__init__"}
    assert {"llama", "mistral", "qwen2", "qwen3"} <= set(SUPPORTED)
    for model_type in SUPPORTED:
        assert f"{model_type} ({family(model_type).models})" in supported()


@every_family
@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="untied"),
        pytest.param({"tie_word_embeddings": True}, id="tied"),
        pytest.param({"head_dim": 8}, id="heads wider than hidden"),
        pytest.param({"num_key_value_heads": 6}, id="no grouping"),
        pytest.param({"num_key_value_heads": 1}, id="one group"),
    ],
)
def test_the_table_explains_every_tensor_of_the_architecture(model_type: str, changes: dict[str, Any]) -> None:
    settings = config(model_type, **changes)
    table = family(model_type).rows(settings)
    check_complete(table, hf_shapes(settings), [row.core for row in table])


@every_family
def test_every_number_of_the_core_model_is_one_number_of_the_hf_model(model_type: str) -> None:
    settings = config(model_type)
    seen = {name: torch.zeros(shape) for name, shape in hf_shapes(settings).items()}
    for row in family(model_type).rows(settings):
        for piece in row.to_hf(Box.whole(row.shape)):
            seen[piece.name][piece.hf.slices] += 1
    assert all(bool((count == 1).all()) for count in seen.values())


@every_family
def test_its_attention_goes_through_the_interface_and_ends_with_the_document(model_type: str) -> None:
    torch.manual_seed(0)
    need = Need.of(config(model_type), torch.float32, torch.device("cpu"))
    model = AutoModelForCausalLM.from_config(config(model_type), attn_implementation=register("sdpa", need)).eval()
    tokens = torch.randint(0, 37, (1, 12))
    positions = torch.tensor([[*range(5), *range(7)]])

    def logits(tokens: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = model(
            input_ids=tokens, position_ids=positions, use_cache=False, documents=Documents.of([0, 5, 12])
        ).logits
        return out

    with torch.no_grad():
        before = logits(tokens)
        tokens[0, :5] = (tokens[0, :5] + 1) % 37
        after = logits(tokens)
    assert torch.equal(before[0, 5:], after[0, 5:])
    assert not torch.equal(before[0, :5], after[0, :5])


def test_biases_that_a_table_does_not_know_are_named() -> None:
    settings = config("llama", attention_bias=True)
    table = family("llama").rows(settings)
    with pytest.raises(UserError, match=r"model\.layers\.0\.self_attn\.q_proj\.bias"):
        check_complete(table, hf_shapes(settings), [row.core for row in table])


@every_family
@pytest.mark.parametrize(
    ("changes", "refused"),
    [
        pytest.param({"hidden_act": "gelu"}, "hidden_act 'gelu' (supported: silu)", id="activation"),
        pytest.param({"num_key_value_heads": 4}, "6 attention heads in 4 groups of unequal size", id="groups"),
    ],
)
def test_what_no_table_of_its_kind_knows_is_refused(model_type: str, changes: dict[str, Any], refused: str) -> None:
    assert family(model_type).refusals(config(model_type)) == []
    assert family(model_type).refusals(config(model_type, **changes)) == [refused]


@pytest.mark.parametrize(
    ("model_type", "key"), [("llama", "attention_bias"), ("llama", "mlp_bias"), ("qwen3", "attention_bias")]
)
def test_biases_where_the_family_has_none_are_refused(model_type: str, key: str) -> None:
    [refused] = family(model_type).refusals(config(model_type, **{key: True}))
    assert refused.startswith(key)
