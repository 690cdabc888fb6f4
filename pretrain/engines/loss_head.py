"""From the last hidden states to losses, without ever holding the logits of a whole micro-batch.

Logits are by far the largest tensor of a forward pass: 8,192 tokens of a vocabulary of 128,000 are 4 GiB in float32,
and a softmax holds them three times until its backward pass. Here they exist for some positions at a time, and
gradients are taken while they do, so that nothing is multiplied twice.

Shapes: N positions that predict something, P those of a piece, H hidden, V vocabulary rows.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812  # torch's own customary name
from torch import nn
from torch.autograd.function import once_differentiable

LOGITS_AT_ONCE = 2**27
"""Numbers of a piece of logits, 512 MiB in float32; at a vocabulary of 128,000 that is 1,000 positions, enough for
matrix products at full speed."""


class Losses(NamedTuple):
    """Of the positions of a micro-batch, in nats."""

    objective: torch.Tensor
    """Scalar, float32: what is differentiated, the sum of negative log-likelihood and z-loss."""
    nll: torch.Tensor
    """float32, by position: the negative log-likelihood alone, without a gradient."""


class LossHead(nn.Module):
    """The output embedding and the loss behind it.

    A module of its own because ZeRO-3 gathers a weight when a module that has it is called.

    Args:
        output_embedding: V x H; shared, not copied.
        z_loss: weight of the square of the log of the softmax's denominator, a loss that keeps it near 0.
            Source: PaLM (Chowdhery et al., arXiv:2204.02311), section 5.
    """

    def __init__(self, output_embedding: nn.Parameter, z_loss: float) -> None:
        super().__init__()
        self.weight, self._z_loss = output_embedding, z_loss

    def forward(self, hidden_NH: torch.Tensor, labels_N: torch.Tensor) -> Losses:
        """Losses of positions that each have a label."""
        positions = max(1, LOGITS_AT_ONCE // len(self.weight))
        if hidden_NH.dtype == torch.float32 and len(labels_N) <= positions:
            return self._at_once(hidden_NH, labels_N)
        objective, nll_N = _InPieces.apply(  # type: ignore[no-untyped-call]
            hidden_NH, self.weight, labels_N, self._z_loss, positions, torch.is_grad_enabled()
        )
        return Losses(objective, nll_N)

    def _at_once(self, hidden_NH: torch.Tensor, labels_N: torch.Tensor) -> Losses:
        """In torch's own words: what the other way is measured against."""
        logits_NV = F.linear(hidden_NH, self.weight)
        nll_N = F.cross_entropy(logits_NV, labels_N, reduction="none")
        objective = nll_N.sum()
        if self._z_loss:
            objective = objective + self._z_loss * logits_NV.logsumexp(-1).square().sum()
        return Losses(objective, nll_N.detach())


class _InPieces(torch.autograd.Function):
    """The same, some positions at a time; logits and sums are float32 whatever the weights are."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden_NH: torch.Tensor,
        weight_VH: torch.Tensor,
        labels_N: torch.Tensor,
        z_loss: float,
        positions: int,
        differentiate: bool,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        objective = torch.zeros((), dtype=torch.float32, device=hidden_NH.device)
        nll_N = torch.empty(labels_N.shape, dtype=torch.float32, device=hidden_NH.device)
        of_hidden_NH = torch.empty_like(hidden_NH) if differentiate and ctx.needs_input_grad[0] else None
        of_weight_VH = (
            torch.zeros_like(weight_VH, dtype=torch.float32) if differentiate and ctx.needs_input_grad[1] else None
        )
        for first in range(0, len(labels_N), positions):
            piece = slice(first, first + positions)
            hidden_PH, labels_P1 = hidden_NH[piece], labels_N[piece, None]
            logits_PV = product(hidden_PH, weight_VH.t())
            log_sum_P = logits_PV.logsumexp(-1)
            nll_N[piece] = log_sum_P - logits_PV.gather(1, labels_P1)[:, 0]
            objective += nll_N[piece].sum() + z_loss * log_sum_P.square().sum()
            if of_hidden_NH is None and of_weight_VH is None:
                continue
            # The gradient takes the logits' place: (1 + 2 z log_sum) softmax - one_hot.
            of_logits_PV = logits_PV.sub_(log_sum_P[:, None]).exp_()
            if z_loss:
                of_logits_PV.mul_(1 + 2 * z_loss * log_sum_P[:, None])
            of_logits_PV.scatter_(1, labels_P1, of_logits_PV.gather(1, labels_P1) - 1)
            of_logits_PV = of_logits_PV.to(weight_VH.dtype)
            if of_hidden_NH is not None:
                torch.mm(of_logits_PV, weight_VH, out=of_hidden_NH[piece])
            if of_weight_VH is not None:
                of_weight_VH += product(of_logits_PV.t(), hidden_PH)
        ctx.gradients = (of_hidden_NH, of_weight_VH)
        ctx.mark_non_differentiable(nll_N)
        return objective, nll_N

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_objective: torch.Tensor, _: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        # They are scaled in place and given away: this graph is gone through once.
        of_hidden_NH, of_weight_VH = (
            None if gradient is None else gradient.mul_(of_objective) for gradient in ctx.gradients
        )
        ctx.gradients = None
        return of_hidden_NH, of_weight_VH, None, None, None, None


def product(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """Matrix product in float32; of bfloat16 matrices as a GPU does it: exact products, summed in float32."""
    if left.dtype == torch.float32:
        return left @ right
    if left.is_cuda:
        return torch.mm(left, right, out_dtype=torch.float32)
    return left.float() @ right.float()
