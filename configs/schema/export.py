"""The `export` section."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from configs.schema.section import Section


class Gate(Section):
    """What the folder must show before it gets its name."""

    texts: tuple[str, ...] = (
        "朝のうちに機械を止めて、部品の摩耗を調べます。異常があれば、係の者に知らせてください。",
        "Stop the machine in the morning and look at the parts. If anything is worn, tell the person in charge.",
        "def mean(values):\n    return sum(values) / len(values) if values else None\n",
    )
    """Texts on which the logits must be equal, besides held-out ones of every source and all new tokens."""
    greedy_tokens: int = Field(default=64, ge=0)
    """Tokens of the greedy continuations that must be equal; 0 leaves them out."""
    whole_up_to_gb: float = Field(default=40.0, ge=0)
    """A model of more float32 weights is compared layer by layer, in little memory, and not generated with."""


class Card(Section):
    """What the model card says that no stage can know."""

    license: str | None = None
    """Licence of the model, as the hub writes it, e.g. apache-2.0 or llama3.1."""
    base_license: str | None = None
    """Licence of the base."""
    base_model: str | None = None
    """Name of the base on the hub, where pretrain.base is a folder."""
    intended_use: str | None = None
    """What the model is for; a paragraph of Markdown."""


class Export(Section):
    """How the Hugging Face folder is written."""

    dtype: Literal["bfloat16", "float16", "float32"] = "bfloat16"
    """Number format of the weights; the gate compares with the same rounded weights."""
    max_shard_size: str = Field(default="50GB", pattern=r"^[1-9]\d*(KB|MB|GB)$")
    """Most of one file of weights, e.g. 5GB; by default as transformers has it. A killed export keeps whole files."""
    gate: Gate = Gate()
    """What the folder must show before it gets its name."""
    card: Card = Card()
    """What the model card says that no stage can know."""
    prompts: tuple[str, ...] = ()
    """Openings that base and exported model continue, greedily, for people to read."""
    continuation_tokens: int = 40
    """Tokens of each continuation."""
