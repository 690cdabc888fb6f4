"""Losses of logits whose vocabulary is cut over tensor ranks: negative log-likelihood, and z-loss.

megatron-core has the former; the latter needs the softmax's denominator, which its function keeps to itself.

Shapes: T positions of a micro-batch, N of them with a label, V vocabulary rows of this tensor rank.
"""

from __future__ import annotations

import torch
from megatron.core import parallel_state

from pretrain.engines.loss_head import Losses
from pretrain.engines.megatron import vocab_pieces
from pretrain.engines.megatron.layout import Layout
from pretrain.micro_batch import NO_LABEL


def token_losses(logits_TV: torch.Tensor, labels_T: torch.Tensor, layout: Layout, z_loss: float) -> Losses:
    """Losses of each position's label, over the vocabulary of all tensor ranks.

    Args:
        logits_TV: in its place stands the gradient after the backward pass.
        z_loss: see `LossHead`.
    Returns:
        `nll` of shape (T,), float32; 0 where there is no label.
    """
    labelled_N = (labels_T != NO_LABEL).nonzero()[:, 0]
    first_row = parallel_state.get_tensor_model_parallel_rank() * logits_TV.shape[1]
    objective, nll_N = vocab_pieces.losses(
        logits_TV,
        labelled_N,
        labels_T[labelled_N] - first_row,
        real=_real(logits_TV, layout),
        z_loss=z_loss,
        group=parallel_state.get_tensor_model_parallel_group(),
    )
    return Losses(objective, nll_N.new_zeros(labels_T.shape).index_copy(0, labelled_N, nll_N))


def real_logits(logits_NV: torch.Tensor, layout: Layout) -> torch.Tensor:
    """The same in float32; -inf in rows that only make up the number, which must not share in the probability."""
    logits_NV, real, width = logits_NV.float(), _real(logits_NV, layout), logits_NV.shape[1]
    if real == width:
        return logits_NV
    return logits_NV.index_fill(1, torch.arange(real, width, device=logits_NV.device), -torch.inf)


def _real(logits_NV: torch.Tensor, layout: Layout) -> int:
    """Rows of this tensor rank that are the model's own."""
    width, rank = logits_NV.shape[1], int(parallel_state.get_tensor_model_parallel_rank())
    return min(max(layout.vocab_rows - rank * width, 0), width)
