"""Floating-point operations that a training step needs, whatever the engine does beside them.

Model FLOPs, as utilisation counts them: a forward pass and a backward pass of twice its cost, without what
recomputation repeats, without norms, activations and the softmax, which are below one per cent.

Source: PaLM (Chowdhery et al., arXiv:2204.02311), appendix B: 6 N per token and 12 L H Q per token and token attended
to. PaLM lets every token attend to the whole sequence; here only the pairs count that causal attention within packed
documents really has, so the figures are a little lower than by PaLM's own sum and do not rise when documents are short.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from transformers import PretrainedConfig

from pretrain.models.decoder import head_dim
from pretrain.parameters import Parameters


@dataclass(frozen=True)
class ModelFlops:
    """What one token, and one pair of tokens of which one attends to the other, cost in training."""

    per_token: int
    """Six for each number of the matrices: multiplied and added, in the forward pass and twice in the backward pass."""
    per_pair: int
    """Likewise for queries with keys, and weights with values, over all layers and heads."""

    @classmethod
    def of(cls, config: PretrainedConfig, parameters: Parameters | None = None) -> ModelFlops:
        """Of an architecture; its `vocab_size` is the number of embedding rows that are trained."""
        parameters = parameters or Parameters.of(config)
        width = config.num_attention_heads * head_dim(config)
        return cls(6 * parameters.in_matrices, 12 * config.num_hidden_layers * width)

    def of_step(self, tokens: int, pairs: int) -> int:
        """FLOPs of a step over so many tokens with so many pairs, over all ranks."""
        return self.per_token * tokens + self.per_pair * pairs


def causal_pairs(document_bounds: Sequence[int]) -> int:
    """Pairs of a token and one it attends to, itself included.

    Args:
        document_bounds: where documents begin, and the end, as `cu_seqlens` of a micro-batch has them.

    >>> causal_pairs([0, 3, 5])  # 1 + 2 + 3, and 1 + 2
    9
    """
    return sum((end - start) * (end - start + 1) // 2 for start, end in itertools.pairwise(document_bounds))


def utilisation(flops: float, seconds: float, devices: int, peak_flops: float) -> float:
    """Share, 0 to 1, of what the devices could have done in that time (MFU)."""
    return flops / (seconds * devices * peak_flops)
