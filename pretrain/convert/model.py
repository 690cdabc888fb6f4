"""The architecture that a conversion is of: an HF folder's configuration, and the tensors that it asks for."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, PretrainedConfig

from configs.artifact import MANIFEST, PLAN
from configs.atomic_file import read_json
from configs.journal import JOURNAL
from pretrain.engines import hf_model
from pretrain.models.family import family
from pretrain.models.rope import positions, rope
from pretrain.models.rows import Row

CONFIG = "config.json"
_TEMPLATES = "additional_chat_templates"
_OURS = {CONFIG, MANIFEST, PLAN, JOURNAL}
# Weights, in whichever format, and code, which nothing here runs.
_LEFT_OUT = (".safetensors", ".index.json", ".bin", ".pt", ".pth", ".ckpt", ".h5", ".msgpack", ".gguf", ".onnx", ".py")


@dataclass(frozen=True)
class Model:
    """What both sides of a conversion must hold."""

    folder: Path
    """HF folder with config.json; its weights, if it has any, are not looked at."""
    config: PretrainedConfig
    shapes: Mapping[str, tuple[int, ...]]
    """HF names and shapes in the order of transformers' state dict; a tied output embedding is absent."""
    changes: Mapping[str, Any]
    """Entries of config.json that a run changed."""
    carried: Mapping[str, Path]
    """Files that belong to the model beside weights and config.json, by name: tokenizer, chat template, card, ..."""

    @classmethod
    def of(
        cls,
        folder: Path,
        vocab_rows: int | None = None,
        rope_base: float | None = None,
        carried: Mapping[str, Path] | None = None,
        seq_len: int = 0,
    ) -> Model:
        """Read a folder's configuration.

        Args:
            vocab_rows: embedding rows where a run gave the model more than the folder says.
            rope_base: base of the rotary embedding where a run changed it.
            carried: where the other files are not the folder's own.
            seq_len: tokens of a sequence that a run trained it on last, of which the folder may say fewer.
        Raises:
            UserError: if there is no configuration, or it is of no supported architecture; see `read_config`.
        """
        config = hf_model.read_config(folder, vocab_rows, rope_base=rope_base)
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(config)
        shapes = {name: tuple(one.shape) for name, one in model.named_parameters()}
        found = read_json(folder / CONFIG)
        changes = _changes(found, vocab_rows, rope_base)
        if positions(found, seq_len) != positions(found, 0):
            # Longer than the base was made for: a scaling of RoPE that starts from the old length must keep it.
            changes |= positions(found, seq_len) | rope_entries(found, rope_base)
        return cls(folder, config, shapes, changes, files_beside(folder) if carried is None else carried)

    @property
    def rows(self) -> list[Row]:
        """The table of the family, for this configuration: one row per parameter of megatron-core's whole model."""
        return family(self.config.model_type).rows(self.config)

    def config_json(self, dtype: torch.dtype | None = None) -> bytes:
        """The folder's config.json, byte for byte where nothing of it changed.

        Args:
            dtype: number format that it is to name; none leaves what it says.
        """
        path = self.folder / CONFIG
        config = read_json(path)
        changes = dict(self.changes)
        if dtype is not None:
            # transformers 4 and 5 call it differently.
            keys = [key for key in ("dtype", "torch_dtype") if key in config] or ["dtype", "torch_dtype"]
            changes |= dict.fromkeys(keys, str(dtype).removeprefix("torch."))
        if all(key in config and config[key] == value for key, value in changes.items()):
            return path.read_bytes()
        return (json.dumps({**config, **changes}, indent=2, ensure_ascii=False) + "\n").encode()


def files_beside(folder: Path) -> dict[str, Path]:
    """What lies in an HF folder beside weights, config.json and code."""
    return {path.relative_to(folder).as_posix(): path for path in _beside(folder)}


def _beside(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.name == _TEMPLATES and path.is_dir():
            yield from sorted(path.glob("*.jinja"))
        elif path.is_file() and not (path.name in _OURS or path.name.startswith(".") or path.name.endswith(_LEFT_OUT)):
            yield path


def _changes(config: Mapping[str, Any], vocab_rows: int | None, rope_base: float | None) -> dict[str, Any]:
    changes: dict[str, Any] = {} if vocab_rows is None else {"vocab_size": vocab_rows}
    return changes if rope_base is None else changes | rope_entries(config, rope_base)


def rope_entries(config: Mapping[str, Any], rope_base: float | None) -> dict[str, Any]:
    """RoPE under the names of transformers 5 and, because it else reads 10,000, of transformers 4.

    Args:
        rope_base: replaces the base.
    """
    found = rope(config, rope_base)
    entries: dict[str, Any] = {"rope_theta": found["rope_theta"]}
    if config.get("rope_parameters"):
        entries["rope_parameters"] = found
    if found["rope_type"] != "default":
        entries["rope_scaling"] = {key: value for key, value in found.items() if key != "rope_theta"}
    return entries
