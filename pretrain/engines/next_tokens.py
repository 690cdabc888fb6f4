"""What a model would write next: its likeliest tokens, and how likely they are.

Shapes: N positions that are asked, H hidden, V vocabulary rows, K tokens that are wanted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.distributed as dist
from torch import nn

from pretrain.engines.loss_head import product


@dataclass(frozen=True)
class Choice:
    """Among which tokens, and how many are wanted."""

    known: int
    """Ids below it are tokens; rows from there on only make up a number, and are never chosen."""
    top: int
    """So many of the likeliest; at most `known`."""


class NextTokens(NamedTuple):
    """The likeliest tokens after each position, the first before the second; of equal ones the lower id."""

    ids_NK: torch.Tensor
    """int64"""
    probabilities_NK: torch.Tensor
    """float32: shares of all rows of the model, as in the loss."""


class NextTokenHead(nn.Module):
    """The output embedding and the choice behind it; a module of its own for the reason that `LossHead` is one.

    Args:
        output_embedding: V x H; shared, not copied.
    """

    def __init__(self, output_embedding: nn.Parameter) -> None:
        super().__init__()
        self.weight = output_embedding

    def forward(self, hidden_NH: torch.Tensor, choice: Choice) -> NextTokens:
        """The choice at positions whose last hidden states these are."""
        logits_NV = product(hidden_NH, self.weight.t())
        log_sum_N1 = logits_NV.logsumexp(-1, keepdim=True)
        values_NK, ids_NK = largest(logits_NV[:, : choice.known], choice.top)
        return NextTokens(ids_NK, (values_NK - log_sum_N1).exp())


def largest(logits_NV: torch.Tensor, top: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The largest numbers of each row and their places; of equal ones, which bfloat16 often gives, the first."""
    values_NV, places_NV = logits_NV.sort(dim=-1, descending=True, stable=True)
    return values_NV[:, :top], places_NV[:, :top]


def from_holders(
    held: Iterable[tuple[torch.Tensor, NextTokens]], asked: int, choice: Choice, device: torch.device
) -> NextTokens:
    """The answers of all ranks together, on every rank and on the host; collective.

    Args:
        held: numbers (int64) of asked positions, and the answer to them, that no other rank brings.
        asked: how many positions are asked.
        device: where the process group takes its numbers from.
    """
    ids_NK = torch.zeros(asked, choice.top, dtype=torch.int64, device=device)
    probabilities_NK = torch.zeros(asked, choice.top, device=device)
    for at_N, here in held:
        ids_NK[at_N.to(device)] = here.ids_NK.to(device)
        probabilities_NK[at_N.to(device)] = here.probabilities_NK.to(device)
    dist.all_reduce(ids_NK)
    dist.all_reduce(probabilities_NK)
    return NextTokens(ids_NK.cpu(), probabilities_NK.cpu())
