"""The `export` section."""

from __future__ import annotations

from typing import Literal

from configs.schema.section import Section


class Export(Section):
    """How the Hugging Face folder is written."""

    dtype: Literal["bfloat16", "float16", "float32"] = "bfloat16"
    """Number format of the weights; the gate compares with the same rounded weights."""
    prompts: tuple[str, ...] = ()
    """Openings that base and exported model continue, greedily, for people to read."""
    continuation_tokens: int = 40
    """Tokens of each continuation."""
