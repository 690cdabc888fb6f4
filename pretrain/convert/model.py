"""The architecture that a conversion is of: an HF folder's configuration, and the tensors that it asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, PretrainedConfig

from pretrain.engines import hf_model
from pretrain.models.family import family
from pretrain.models.rows import Row


@dataclass(frozen=True)
class Model:
    """What both sides of a conversion must hold."""

    folder: Path
    """HF folder with config.json and the tokenizer's files; its weights, if it has any, are not looked at."""
    config: PretrainedConfig
    shapes: Mapping[str, tuple[int, ...]]
    """HF names and shapes in the order of transformers' state dict; a tied output embedding is absent."""

    @classmethod
    def of(cls, folder: Path, vocab_rows: int | None = None, rope_base: float | None = None) -> Model:
        """Read a folder's configuration.

        Args:
            vocab_rows: embedding rows where a run gave the model more than the folder says.
            rope_base: base of the rotary embedding where a run changed it.
        Raises:
            UserError: if there is no configuration, or it is of no supported architecture; see `read_config`.
        """
        config = hf_model.read_config(folder, vocab_rows, rope_base=rope_base)
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(config)
        return cls(folder, config, {name: tuple(one.shape) for name, one in model.named_parameters()})

    @property
    def rows(self) -> list[Row]:
        """The table of the family, for this configuration: one row per parameter of megatron-core's whole model."""
        return family(self.config.model_type).rows(self.config)
