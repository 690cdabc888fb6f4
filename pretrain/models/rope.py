"""RoPE as a config.json tells it, under the names of transformers 4 and 5."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def rope(config: Mapping[str, Any], rope_base: float | None = None) -> dict[str, Any]:
    """RoPE base and scaling, from the names of transformers 4 and 5.

    Args:
        rope_base: replaces the base.
    """
    parameters = dict(config.get("rope_parameters") or config.get("rope_scaling") or {})
    parameters.setdefault("rope_theta", config.get("rope_theta", 10_000.0))
    parameters.setdefault("rope_type", parameters.pop("type", "default"))
    if rope_base is not None:
        parameters["rope_theta"] = rope_base
    return parameters
