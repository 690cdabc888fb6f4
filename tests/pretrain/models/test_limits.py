from __future__ import annotations

from typing import Any

import pytest
from transformers import AutoConfig

from pretrain.models.limits import refusals

YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 1024, "rope_theta": 1e4}
LLAMA3 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 1024,
    "rope_theta": 1e4,
}
LONG = {
    "rope_type": "longrope",
    "factor": 4.0,
    "short_factor": [1.0] * 16,
    "long_factor": [2.0] * 16,
    "original_max_position_embeddings": 1024,
    "rope_theta": 1e4,
}


def found(model_type: str, seq_len: int | None = 4096, **settings: Any) -> list[str]:
    sizes = {"hidden_size": 128, "num_attention_heads": 4, "num_key_value_heads": 2, "num_hidden_layers": 4}
    return refusals(AutoConfig.for_model(model_type, **{**sizes, **settings}), seq_len)


@pytest.mark.parametrize(
    ("seq_len", "window", "refused"),
    [
        pytest.param(4096, None, False, id="no window"),
        pytest.param(4096, 4096, False, id="as long as the sequence"),
        pytest.param(4097, 4096, True, id="one shorter"),
        pytest.param(None, 4096, False, id="sequences of unknown length"),
    ],
)
def test_a_window_on_attention_is_refused_where_it_is_felt(
    seq_len: int | None, window: int | None, refused: bool
) -> None:
    wrong = found("mistral", seq_len, sliding_window=window)
    assert wrong == (
        [f"a sliding window of {window} with sequences of {seq_len} (pretrain.seq_len up to {window})"]
        if refused
        else []
    )


@pytest.mark.parametrize("model_type", ["qwen2", "qwen3"])
@pytest.mark.parametrize(
    ("settings", "refused"),
    [
        pytest.param({"sliding_window": 512}, False, id="a window that is not used"),
        pytest.param({"sliding_window": 512, "use_sliding_window": True, "max_window_layers": 2}, True, id="used"),
        pytest.param(
            {"sliding_window": 512, "use_sliding_window": True, "max_window_layers": 4}, False, id="used by no layer"
        ),
        pytest.param({"sliding_window": 8192, "use_sliding_window": True, "max_window_layers": 2}, False, id="wide"),
    ],
)
def test_a_window_of_some_layers_is_refused_like_one_of_all(
    model_type: str, settings: dict[str, Any], refused: bool
) -> None:
    wrong = found(model_type, **settings)
    assert bool(wrong) == refused
    assert all("a sliding window of 512 with sequences of 4096" in one for one in wrong)


def test_layers_that_attend_in_another_way_are_refused() -> None:
    assert found("qwen3", layer_types=["full_attention"] * 3 + ["linear_attention"]) == ["layer_types linear_attention"]


@pytest.mark.parametrize(
    ("parameters", "refused"),
    [
        pytest.param({"rope_type": "default", "rope_theta": 1e6}, None, id="default"),
        pytest.param({"rope_type": "linear", "factor": 2.0, "rope_theta": 1e4}, None, id="linear"),
        pytest.param(LLAMA3, None, id="llama3"),
        pytest.param(YARN, None, id="yarn"),
        pytest.param({"rope_type": "dynamic", "factor": 2.0, "rope_theta": 1e4}, "rope_type 'dynamic'", id="dynamic"),
        pytest.param(LONG, "rope_type 'longrope'", id="longrope"),
    ],
)
def test_rotations_that_depend_on_more_than_the_position_are_refused(
    parameters: dict[str, Any], refused: str | None
) -> None:
    wrong = found("llama", rope_parameters=parameters)
    assert wrong == ([] if refused is None else [f"{refused} (supported: default, linear, llama3, yarn)"])


@pytest.mark.parametrize(
    ("changed", "refused"),
    [
        pytest.param({"factor": 1}, None, id="a whole number"),
        pytest.param({"factor": 0.99}, "rope_parameters.factor 0.99 (a number, from 1 on)", id="less than 1"),
        pytest.param({"factor": "four"}, "rope_parameters.factor 'four' (a number, from 1 on)", id="a word"),
        pytest.param({"factor": True}, "rope_parameters.factor True (a number, from 1 on)", id="no number"),
        pytest.param({"factor": None}, "rope_parameters.factor None (a number, from 1 on)", id="none"),
        pytest.param({"attention_factor": None, "beta_fast": 32}, None, id="none of what may be left out"),
        pytest.param({"mscale": "1"}, "rope_parameters.mscale '1' (a number, from 0 on)", id="quoted"),
    ],
)
def test_numbers_of_a_rotation_are_looked_at_before_they_are_needed(
    changed: dict[str, Any], refused: str | None
) -> None:
    wrong = found("llama", rope_parameters={**YARN, **changed})
    assert wrong == ([] if refused is None else [refused])


@pytest.mark.parametrize(
    ("settings", "refused"),
    [
        pytest.param({"attention_dropout": 0.1}, "attention_dropout 0.1 (set it to 0.0)", id="dropout"),
        pytest.param({"attention_dropout": 0.0}, None, id="no dropout"),
        pytest.param({"partial_rotary_factor": 0.5}, "partial_rotary_factor 0.5", id="half a head rotated"),
        pytest.param({"partial_rotary_factor": 1.0}, None, id="all of a head rotated"),
        pytest.param(
            {"quantization_config": {"quant_method": "gptq", "bits": 4}},
            "quantized weights (take the folder they were made from)",
            id="quantized",
        ),
        pytest.param(
            {"architectures": ["LlamaForSequenceClassification"]},
            "architectures ['LlamaForSequenceClassification'] (only causal language models)",
            id="classifier",
        ),
        pytest.param({"architectures": ["LlamaForCausalLM"]}, None, id="causal language model"),
    ],
)
def test_a_setting_that_training_would_ignore_is_refused(settings: dict[str, Any], refused: str | None) -> None:
    assert found("llama", **settings) == ([] if refused is None else [refused])


def test_all_that_is_wrong_is_told_at_once() -> None:
    wrong = found("mistral", sliding_window=256, attention_dropout=0.1, partial_rotary_factor=0.5)
    assert len(wrong) == 3
