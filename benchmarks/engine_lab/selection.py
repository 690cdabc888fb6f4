"""Which layouts are compared on which models: a selection in which every two choices meet that can."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.engine_lab.comparison import Combination, Model
from benchmarks.engine_lab.cover import cover

_LAYOUTS: Mapping[str, tuple[str, int, Mapping[str, Any]]] = {
    "zero 0": ("deepspeed", 2, {"zero": "0"}),
    "zero 1": ("deepspeed", 2, {"zero": "1"}),
    "zero 2": ("deepspeed", 2, {"zero": "2"}),
    "zero 3": ("deepspeed", 2, {"zero": "3"}),
    "data 2": ("megatron", 2, {}),
    "tensor 2": ("megatron", 2, {"tensor": 2}),
    "pipeline 2": ("megatron", 2, {"pipeline": 2}),
    "context 2": ("megatron", 2, {"context": 2}),
    "tensor 2 sequence": ("megatron", 2, {"tensor": 2, "sequence": True}),
    "tensor 2 x pipeline 2": ("megatron", 4, {"tensor": 2, "pipeline": 2}),
    "tensor 2 x data 2": ("megatron", 4, {"tensor": 2}),
}

_LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 1e4,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,  # so that all three bands are used by sequences of 55 tokens
}
_ROPES: Mapping[str, Mapping[str, Any]] = {
    "usual": {},
    "linear": {"rope_type": "linear", "rope_theta": 1e4, "factor": 4.0},
    "llama3": _LLAMA3,
    "yarn": {"rope_type": "yarn", "rope_theta": 1e4, "factor": 4.0, "original_max_position_embeddings": 32},
    "of the stage": {},
}
_STAGE_BASE = 100.0

FACTORS: Mapping[str, tuple[str, ...]] = {
    "layout": tuple(_LAYOUTS),
    "way of rotation": ("deepspeed", "megatron", "megatron, context"),
    "groups": ("1", "2", "8"),
    "layers": ("plain", "QKV bias", "QK norm"),
    "rope": tuple(_ROPES),
    "embeddings": ("tied", "untied"),
    "vocabulary": ("even", "padded"),
    "documents": ("packed", "one"),
    "recomputed": ("no", "yes"),
}
"""All that is chosen. Of the 8 heads there are 1, 2 or 8 groups; documents: several in a micro-batch, or one."""

APART = (("layout", "rope"),)
"""Each kind of rope meets each way in which positions get to it, and not each layout: 55 combinations otherwise."""


def impossible(row: Mapping[str, str]) -> str | None:
    """Why choices cannot meet, if they cannot."""
    layout = row.get("layout")
    ways = {_way(layout)} if layout is not None else set(FACTORS["way of rotation"])
    if row.get("way of rotation", next(iter(ways))) not in ways:
        return "each layout gets positions in one way"
    if layout is not None and "tensor" in layout:
        return "tensor ranks share the groups, and one cannot be shared" if row.get("groups") == "1" else None
    if row.get("vocabulary") == "padded":
        if layout is not None or row.get("way of rotation") in ("deepspeed", "megatron, context"):
            return "only tensor parallelism pads the vocabulary"
        if row.get("groups") == "1":
            return "only tensor parallelism pads the vocabulary, and its ranks cannot share one group"
    return None


def _way(layout: str) -> str:
    engine, _, parallel = _LAYOUTS[layout]
    return f"{engine}, context" if "context" in parallel else engine


ROWS = tuple(cover(FACTORS, impossible, APART))
"""What is chosen for each combination."""


def _model(number: int, row: Mapping[str, str]) -> Model:
    family = {"plain": ("llama", "mistral")[number % 2], "QKV bias": "qwen2", "QK norm": "qwen3"}[row["layers"]]
    changes: dict[str, Any] = {
        "num_key_value_heads": int(row["groups"]),
        "tie_word_embeddings": row["embeddings"] == "tied",
    }
    if _ROPES[row["rope"]]:
        changes["rope_parameters"] = _ROPES[row["rope"]]
    if family == "qwen3":
        changes["head_dim"] = 16
    told = {
        "groups": f"{row['groups']} group{'s' * (row['groups'] != '1')}",
        "embeddings": row["embeddings"],
        "vocabulary": "" if row["vocabulary"] == "even" else "padded",
        "documents": "" if row["documents"] == "packed" else "one document",
        "rope": "" if row["rope"] == "usual" else f"rope {row['rope']}",
    }
    return Model(
        name=", ".join([family, *filter(None, told.values())]),
        family=family,
        changes=changes,
        even_vocabulary=row["vocabulary"] == "even",
        packed=row["documents"] == "packed",
        rope_base=_STAGE_BASE if row["rope"] == "of the stage" else None,
    )


def _combination(number: int, row: Mapping[str, str]) -> Combination:
    engine, processes, parallel = _LAYOUTS[row["layout"]]
    again = row["recomputed"] == "yes"
    settings = {"parallel": parallel, "recompute": "layers" if again else "none"}
    layout = f"{row['layout']}, recomputed" if again else row["layout"]
    return Combination(layout, _model(number, row), engine, processes, settings)


SELECTION = tuple(_combination(number, row) for number, row in enumerate(ROWS))
"""The combinations, in all of which every pair of choices meets that can."""
