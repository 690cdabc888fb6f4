"""Losses of logits whose vocabulary is cut over tensor ranks: negative log-likelihood, and z-loss.

megatron-core has the former; the latter needs the softmax's denominator, which its function keeps to itself.

Shapes: T positions of a micro-batch, N of them with a label, V vocabulary rows of this tensor rank.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from megatron.core import parallel_state
from torch.autograd.function import once_differentiable

from pretrain.engines.loss_head import Losses
from pretrain.engines.megatron.layout import Layout
from pretrain.micro_batch import NO_LABEL


def token_losses(logits_TV: torch.Tensor, labels_T: torch.Tensor, layout: Layout, z_loss: float) -> Losses:
    """Losses of each position's label, over the vocabulary of all tensor ranks.

    Args:
        z_loss: see `LossHead`.
    Returns:
        `nll` of shape (T,), float32; 0 where there is no label.
    """
    labelled_N = (labels_T != NO_LABEL).nonzero()[:, 0]
    logits_NV = real_logits(logits_TV[labelled_N], layout)
    first_row = parallel_state.get_tensor_model_parallel_rank() * logits_NV.shape[1]
    group = parallel_state.get_tensor_model_parallel_group()
    objective, nll_N = _OverRanks.apply(logits_NV, labels_T[labelled_N] - first_row, z_loss, group)  # type: ignore[no-untyped-call]
    return Losses(objective, nll_N.new_zeros(labels_T.shape).index_copy(0, labelled_N, nll_N))


def real_logits(logits_NV: torch.Tensor, layout: Layout) -> torch.Tensor:
    """The same in float32; -inf in rows that only make up the number, which must not share in the probability."""
    logits_NV, width = logits_NV.float(), logits_NV.shape[1]
    real = layout.vocab_rows - parallel_state.get_tensor_model_parallel_rank() * width
    if real >= width:
        return logits_NV
    return logits_NV.index_fill(1, torch.arange(max(real, 0), width, device=logits_NV.device), -torch.inf)


class _OverRanks(torch.autograd.Function):
    """The sum of what is minimised, and the negative log-likelihoods; logits are written over.

    Labels are counted from this rank's first row; most lie on another rank.
    """

    @staticmethod
    def forward(
        ctx: Any, logits_NV: torch.Tensor, labels_N: torch.Tensor, z_loss: float, group: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        largest_N = logits_NV.max(dim=-1).values
        dist.all_reduce(largest_N, dist.ReduceOp.MAX, group=group)
        logits_NV.sub_(largest_N[:, None])
        here_N = (labels_N >= 0) & (labels_N < logits_NV.shape[1])
        at_N1 = labels_N.where(here_N, 0)[:, None]
        of_label_N = logits_NV.gather(1, at_N1)[:, 0].where(here_N, 0.0)
        softmax_NV = logits_NV.exp_()
        both_2N = torch.stack([of_label_N, softmax_NV.sum(dim=-1)])
        dist.all_reduce(both_2N, group=group)
        of_label_N, sum_N = both_2N
        softmax_NV.div_(sum_N[:, None])
        nll_N = sum_N.log() - of_label_N
        log_sum_N = sum_N.log() + largest_N
        ctx.save_for_backward(softmax_NV, here_N, at_N1, log_sum_N)
        ctx.z_loss = z_loss
        ctx.mark_non_differentiable(nll_N)
        return nll_N.sum() + z_loss * log_sum_N.square().sum(), nll_N

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_objective: torch.Tensor, _: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        gradient_NV, here_N, at_N1, log_sum_N = ctx.saved_tensors
        if ctx.z_loss:
            gradient_NV.mul_(1 + 2 * ctx.z_loss * log_sum_N[:, None])
        gradient_NV.scatter_add_(1, at_N1, -here_N.to(gradient_NV)[:, None])
        return gradient_NV.mul_(of_objective), None, None, None
