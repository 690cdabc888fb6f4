"""What of the base's architecture decides what a new token costs; from its config.json alone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class BaseShape:
    """A model, as far as its embeddings and the work of a token go."""

    rows: int
    """Of its embedding: at least one per token."""
    width: int
    """Numbers of a row."""
    tied: bool
    """Whether the output embedding is the input embedding."""
    body: int
    """Numbers of its other matrices, each of which a token is multiplied with."""

    @classmethod
    def of(cls, folder: Path) -> BaseShape | None:
        """From `config.json`; none where the folder holds a tokenizer only."""
        if not (folder / "config.json").exists():
            return None
        import torch
        from transformers import AutoConfig, AutoModelForCausalLM

        config: Any = AutoConfig.from_pretrained(folder, trust_remote_code=False)
        with torch.device("meta"):
            model: Any = AutoModelForCausalLM.from_config(config)
        embeddings = {id(model.get_input_embeddings().weight), id(model.get_output_embeddings().weight)}
        matrices = [one for one in model.parameters() if one.dim() > 1 and id(one) not in embeddings]
        rows, width = model.get_input_embeddings().weight.shape
        return cls(int(rows), int(width), len(embeddings) == 1, sum(math.prod(one.shape) for one in matrices))

    @property
    def embeddings(self) -> int:
        """How many there are that grow."""
        return 1 if self.tied else 2

    def flops_per_token(self, rows: int) -> int:
        """Of training with so many embedding rows: multiplied and added, in the forward pass and twice backwards."""
        return 6 * (self.body + self.width * rows)
