"""Which layouts are compared on which models: each layout on several, each kind of model on several layouts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.engine_lab.comparison import Combination

_LAYOUTS: Mapping[str, tuple[str, int, Mapping[str, Any]]] = {
    "zero 0": ("deepspeed", 2, {"parallel": {"zero": "0"}}),
    "zero 1": ("deepspeed", 2, {"parallel": {"zero": "1"}}),
    "zero 2": ("deepspeed", 2, {"parallel": {"zero": "2"}}),
    "zero 3": ("deepspeed", 2, {"parallel": {"zero": "3"}}),
    "data 2": ("megatron", 2, {}),
    "tensor 2": ("megatron", 2, {"parallel": {"tensor": 2}}),
    "pipeline 2": ("megatron", 2, {"parallel": {"pipeline": 2}}),
    "context 2": ("megatron", 2, {"parallel": {"context": 2}}),
    "tensor 2 sequence": ("megatron", 2, {"parallel": {"tensor": 2, "sequence": True}}),
    "data 2, recomputed": ("megatron", 2, {"recompute": "layers"}),
    "tensor 2 x pipeline 2": ("megatron", 4, {"parallel": {"tensor": 2, "pipeline": 2}}),
    "tensor 2 x data 2": ("megatron", 4, {"parallel": {"tensor": 2}}),
}

_MODELS = {
    "zero 0": ("llama 3.1, scaled rope", "qwen2, 1 group"),
    "zero 1": ("llama, 2 groups, untied", "qwen3, 8 groups"),
    "zero 2": ("llama, yarn", "mistral, 8 groups"),
    "zero 3": ("llama, linear rope", "qwen3, 2 groups, untied", "qwen2, 8 groups, untied"),
    "data 2": ("llama, 1 group, untied", "qwen2, 8 groups, untied"),
    "tensor 2": ("llama 3.1, scaled rope", "mistral, 2 groups, untied", "qwen2, 2 groups"),
    "pipeline 2": ("llama", "qwen3, 1 group, untied", "llama, yarn"),
    "context 2": ("llama 3.1, scaled rope", "qwen3, 8 groups", "qwen2, 1 group"),
    "tensor 2 sequence": ("llama, 8 groups", "qwen2, 8 groups, untied", "qwen3, 2 groups, untied"),
    "data 2, recomputed": ("mistral, 8 groups", "qwen3, 2 groups, untied"),
    "tensor 2 x pipeline 2": ("llama, linear rope", "mistral, 2 groups, untied", "qwen2, 2 groups"),
    "tensor 2 x data 2": ("llama, yarn", "qwen3, 8 groups"),
}

SELECTION = tuple(
    Combination(layout, model, engine, processes, settings)
    for layout, (engine, processes, settings) in _LAYOUTS.items()
    for model in _MODELS[layout]
)
"""Thirty combinations, in all of which documents are packed and tensor parallelism pads the vocabulary."""
