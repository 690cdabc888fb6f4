"""The softmax over a vocabulary that is cut over ranks, some positions at a time; nothing here needs megatron-core.

megatron-core's model gives the logits of a whole micro-batch. They are the largest tensor of a step, and stay the
only one of their size: float32, in which the softmax is computed, exists for some positions at a time, and the
gradient takes the logits' own place.

Shapes: T positions of a micro-batch, N of them with a label, P those of a piece, V vocabulary rows of this rank.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch.autograd.function import once_differentiable

from pretrain.engines import loss_head


def losses(
    logits_TV: torch.Tensor,
    labelled_N: torch.Tensor,
    labels_N: torch.Tensor,
    *,
    real: int,
    z_loss: float,
    group: Any,
) -> tuple[torch.Tensor, torch.Tensor]:
    """What is minimised, summed, and the negative log-likelihoods of the labelled positions.

    Args:
        logits_TV: in its place stands the gradient after the backward pass.
        labels_N: counted from this rank's first row; most lie on another rank.
        real: rows of this rank that are no padding.
        z_loss: see `LossHead`.
        group: the ranks that share the vocabulary.
    """
    objective, nll_N = _OverRanks.apply(logits_TV, labelled_N, labels_N, real, z_loss, group)  # type: ignore[no-untyped-call]
    return objective, nll_N


class _OverRanks(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        logits_TV: torch.Tensor,
        labelled_N: torch.Tensor,
        labels_N: torch.Tensor,
        real: int,
        z_loss: float,
        group: Any,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        pieces = _pieces(labelled_N, logits_TV)
        largest_N = torch.cat([_real(logits_TV, piece_P, real).amax(dim=-1) for piece_P in pieces])
        dist.all_reduce(largest_N, dist.ReduceOp.MAX, group=group)
        here_N = (labels_N >= 0) & (labels_N < logits_TV.shape[1])
        at_N = labels_N.where(here_N, 0)
        seen = [
            _of_label_and_sum(_real(logits_TV, piece_P, real), largest_P, at_P)
            for piece_P, largest_P, at_P in _together(pieces, largest_N, at_N)
        ]
        of_label_N, sum_N = (torch.cat(values) for values in zip(*seen, strict=True))
        both_2N = torch.stack([of_label_N.where(here_N, 0.0), sum_N])
        dist.all_reduce(both_2N, group=group)
        of_label_N, sum_N = both_2N
        nll_N = sum_N.log() - of_label_N
        log_sum_N = sum_N.log() + largest_N
        ctx.save_for_backward(logits_TV, labelled_N, here_N, at_N, largest_N, sum_N, log_sum_N)
        ctx.real, ctx.z_loss = real, z_loss
        ctx.mark_non_differentiable(nll_N)
        return nll_N.sum() + z_loss * log_sum_N.square().sum(), nll_N

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_objective: torch.Tensor, _: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        logits_TV, labelled_N, here_N, at_N, largest_N, sum_N, log_sum_N = ctx.saved_tensors
        gradient_TV = logits_TV.detach()
        unlabelled_T = torch.ones(len(logits_TV), dtype=torch.bool, device=logits_TV.device)
        unlabelled_T[labelled_N] = False
        pieces = _pieces(labelled_N, logits_TV)
        for piece_P, largest_P, sum_P, log_sum_P, here_P, at_P in _together(
            pieces, largest_N, sum_N, log_sum_N, here_N, at_N
        ):
            of_logits_PV = _real(logits_TV, piece_P, ctx.real).sub_(largest_P[:, None]).exp_().div_(sum_P[:, None])
            if ctx.z_loss:
                of_logits_PV.mul_(1 + 2 * ctx.z_loss * log_sum_P[:, None])
            of_logits_PV.scatter_add_(1, at_P[:, None], -here_P.to(of_logits_PV)[:, None]).mul_(of_objective)
            gradient_TV.index_copy_(0, piece_P, of_logits_PV.to(gradient_TV.dtype))
            del of_logits_PV  # before the next is there
        gradient_TV.masked_fill_(unlabelled_T[:, None], 0)
        return gradient_TV, None, None, None, None, None


def _real(logits_TV: torch.Tensor, piece_P: torch.Tensor, real: int) -> torch.Tensor:
    """A copy of a piece in float32; -inf in rows that are padding, which must not share in the probability."""
    logits_PV = logits_TV[piece_P].float()
    logits_PV[:, real:] = -torch.inf
    return logits_PV


def _of_label_and_sum(
    logits_PV: torch.Tensor, largest_P: torch.Tensor, at_P: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Less the largest: the logit of the label, and the sum of all exponentials; the logits are written over."""
    of_label_P = logits_PV.sub_(largest_P[:, None]).gather(1, at_P[:, None])[:, 0]
    return of_label_P, logits_PV.exp_().sum(dim=-1)


def _pieces(labelled_N: torch.Tensor, logits_TV: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Labelled positions, so many at a time as the other engines take."""
    return torch.split(labelled_N, max(1, loss_head.LOGITS_AT_ONCE // logits_TV.shape[1]))


def _together(pieces: tuple[torch.Tensor, ...], *values_N: torch.Tensor) -> Any:
    """Each piece with its part of the values."""
    sizes = [len(piece) for piece in pieces]
    return zip(pieces, *(torch.split(values, sizes) for values in values_N), strict=True)
