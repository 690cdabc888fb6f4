"""The parameters of a model, exactly, without a byte of them: from its configuration alone."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from transformers import PretrainedConfig

from pretrain.engines import hf_model

Shapes = dict[str, tuple[int, ...]]
"""Shape of each tensor by its HF name; a tied output embedding occurs once, as the input embedding."""


@dataclass(frozen=True)
class Parameters:
    """What a model consists of."""

    shapes: Shapes
    embeddings: frozenset[str]
    """Names of the input and output embedding; one name where they are tied."""
    layers: int
    """Transformer layers."""

    @property
    def count(self) -> int:
        """All numbers."""
        return sum(map(math.prod, self.shapes.values()))

    @property
    def in_matrices(self) -> int:
        """Numbers that each token is multiplied with: the layers' matrices and the output embedding, tied or not."""
        inner = sum(
            math.prod(shape) for name, shape in self.shapes.items() if len(shape) > 1 and name not in self.embeddings
        )
        return inner + math.prod(self.shapes[min(self.embeddings)])

    @classmethod
    def of(cls, config: PretrainedConfig) -> Parameters:
        """The parameters of the model that transformers would build, on torch's device without memory."""
        with torch.device("meta"):
            model = hf_model.empty_model(config)
        shapes = {name: tuple(parameter.shape) for name, parameter in hf_model.named_parameters(model).items()}
        return cls(shapes, hf_model.embedding_names(model), int(config.num_hidden_layers))
