"""What no family can train here, found in the configuration alone and said before anything is allocated."""

from __future__ import annotations

from typing import Any

from transformers import PretrainedConfig

ROPE_TYPES = ("default", "linear", "llama3", "yarn")
"""Rotary embeddings whose angles depend on nothing but the position; transformers' own modules compute them.

dynamic and longrope also look at how long the sequence is, so a packed document would be rotated otherwise than the
same document alone."""

_LEAST = {
    "rope_theta": 1.0,
    "factor": 1.0,
    "original_max_position_embeddings": 1.0,
    "low_freq_factor": 0.0,
    "high_freq_factor": 0.0,
}
_LEAST_IF_ANY = dict.fromkeys(("attention_factor", "beta_fast", "beta_slow", "mscale", "mscale_all_dim"), 0.0)
"""Numbers of rope_parameters and their least. Of others transformers only warns; then it breaks off in the middle of a
run, or, of a factor that is none, takes one that changes with max_position_embeddings."""


def refusals(config: PretrainedConfig, seq_len: int | None) -> list[str]:
    """Settings of a configuration that training would have to ignore; nothing if there are none.

    Args:
        seq_len: longest sequence of the training; none if it is not known, which lets any window pass.
    """
    wrong = [*_rope(config), *_window(config, seq_len)]
    architectures = getattr(config, "architectures", None) or []
    if not all(name.endswith("ForCausalLM") for name in architectures):
        wrong.append(f"architectures {architectures!r} (only causal language models)")
    if getattr(config, "quantization_config", None) is not None:
        wrong.append("quantized weights (take the folder they were made from)")
    dropout = getattr(config, "attention_dropout", 0.0)
    if dropout:
        wrong.append(f"attention_dropout {dropout} (set it to 0.0)")
    return wrong


def _rope(config: PretrainedConfig) -> list[str]:
    parameters: dict[str, Any] = getattr(config, "rope_parameters", None) or {}
    if "rope_type" not in parameters:
        return [f"rope_parameters of {', '.join(map(repr, parameters)) or 'nothing'} (one set for all layers)"]
    wrong = []
    if parameters["rope_type"] not in ROPE_TYPES:
        wrong.append(f"rope_type {parameters['rope_type']!r} (supported: {', '.join(ROPE_TYPES)})")
    part = parameters.get("partial_rotary_factor", 1.0)
    if part != 1.0:
        wrong.append(f"partial_rotary_factor {part}")
    for name, least in {**_LEAST, **_LEAST_IF_ANY}.items():
        value = parameters.get(name, least)
        if not (_at_least(value, least) or (value is None and name in _LEAST_IF_ANY)):
            wrong.append(f"rope_parameters.{name} {value!r} (a number, from {least:g} on)")
    return wrong


def _at_least(value: Any, least: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and least <= value < float("inf")


def _window(config: PretrainedConfig, seq_len: int | None) -> list[str]:
    window: int | None = getattr(config, "sliding_window", None)
    layers = getattr(config, "layer_types", None)
    kinds = sorted(set(layers or []) - {"full_attention", "sliding_attention"})
    if kinds:
        return [f"layer_types {', '.join(kinds)}"]
    if layers is not None and "sliding_attention" not in layers:
        window = None
    # A window of W reaches back W - 1 positions, so a sequence of W feels nothing of it.
    if window is not None and seq_len is not None and seq_len > window:
        return [f"a sliding window of {window} with sequences of {seq_len} (pretrain.seq_len up to {window})"]
    return []
