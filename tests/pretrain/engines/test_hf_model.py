from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from transformers import LlamaConfig, MistralConfig

from configs.errors import UserError
from configs.schema.pretrain import Optim, Parallel
from pretrain.engines.base import EngineSpec
from pretrain.engines.hf_model import config_of, read_config


def folder(tmp_path: Path, **settings: Any) -> Path:
    (tmp_path / "config.json").write_text(json.dumps(settings))
    return tmp_path


def test_a_folder_without_a_config_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"has no config\.json"):
        read_config(tmp_path)


@pytest.mark.parametrize("model_type", ["gpt2", "mixtral", "qwen3_moe", "of somebody's own", None])
def test_another_architecture_is_refused_by_name_with_what_is_supported(tmp_path: Path, model_type: str | None) -> None:
    with pytest.raises(
        UserError, match=rf"architecture {model_type!r} is not supported; supported: llama \(Llama"
    ) as e:
        read_config(folder(tmp_path, model_type=model_type))
    assert "qwen3 (Qwen3, dense)" in str(e.value)


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({"hidden_size": 30, "num_attention_heads": 4}, id="heads that do not divide"),
        pytest.param({"hidden_size": "large"}, id="a word for a number"),
        pytest.param({"rope_scaling": {"rope_type": "linear"}}, id="scaling without a factor"),
    ],
)
def test_a_config_that_transformers_does_not_take_is_named(tmp_path: Path, settings: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=r"config\.json: transformers cannot read it"):
        read_config(folder(tmp_path, model_type="llama", **settings))


def test_all_that_cannot_be_trained_is_named(tmp_path: Path) -> None:
    MistralConfig(sliding_window=1024, attention_dropout=0.1, hidden_act="gelu").save_pretrained(tmp_path)
    with pytest.raises(UserError, match=r"not supported: hidden_act 'gelu'.*; a sliding window.*; attention_dropout"):
        read_config(tmp_path, seq_len=2048)


def test_an_engine_gets_the_rows_the_base_of_the_rotation_and_the_length_of_its_stage(tmp_path: Path) -> None:
    MistralConfig(sliding_window=1024, rope_parameters={"rope_theta": 1e4, "rope_type": "default"}).save_pretrained(
        tmp_path
    )

    def spec(**more: Any) -> EngineSpec:
        return EngineSpec(tmp_path, 32_064, 32_000, "all", Optim(), Parallel(), **more)

    config = config_of(spec(seq_len=1024))
    assert config.vocab_size == 32_064
    assert config.rope_parameters == {"rope_theta": 1e4, "rope_type": "default"}
    assert config_of(spec(rope_base=5e5)).rope_parameters == {"rope_theta": 5e5, "rope_type": "default"}
    with pytest.raises(UserError, match="a sliding window of 1024 with sequences of 1025"):
        config_of(spec(seq_len=1025))


def test_another_base_leaves_the_scaling(tmp_path: Path) -> None:
    scaling = {"rope_type": "linear", "factor": 4.0}
    LlamaConfig(rope_parameters={**scaling, "rope_theta": 1e4}).save_pretrained(tmp_path)
    assert read_config(tmp_path, rope_base=1e6).rope_parameters == {**scaling, "rope_theta": 1e6}
