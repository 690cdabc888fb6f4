"""RoPE as a config.json tells it, under the names of transformers 4 and 5, and how far it reaches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_SCALED_FROM = ("llama3", "yarn")
"""Types that scale from a length which, where it is not given, transformers takes to be the model's own."""


def rope(config: Mapping[str, Any], rope_base: float | None = None) -> dict[str, Any]:
    """RoPE base and scaling, from the names of transformers 4 and 5.

    Args:
        rope_base: replaces the base.
    """
    parameters = dict(config.get("rope_parameters") or config.get("rope_scaling") or {})
    parameters.setdefault("rope_theta", config.get("rope_theta", 10_000.0))
    parameters.setdefault("rope_type", parameters.pop("type", "default"))
    if parameters["rope_type"] in _SCALED_FROM and "max_position_embeddings" in config:
        made_for = config.get("original_max_position_embeddings", config["max_position_embeddings"])
        parameters.setdefault("original_max_position_embeddings", made_for)
    if rope_base is not None:
        parameters["rope_theta"] = rope_base
    return parameters


def positions(config: Mapping[str, Any], seq_len: int) -> dict[str, int]:
    """How far a model reaches that was trained on sequences of a length; empty if its config does not say.

    Whoever uses a model takes this for the most it can read.

    >>> positions({"max_position_embeddings": 4096}, 16384)
    {'max_position_embeddings': 16384}
    """
    key = "max_position_embeddings"
    return {key: max(int(config[key]), seq_len)} if config.get(key) is not None else {}
