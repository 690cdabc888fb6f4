"""What comes next by logits whose vocabulary is cut over tensor ranks.

Shapes: T positions of a micro-batch, N of them with a label, V vocabulary rows of this tensor rank, K tokens that
are wanted, R tensor ranks.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from megatron.core import parallel_state

from pretrain.engines.megatron.layout import Layout
from pretrain.engines.megatron.vocab_loss import real_logits
from pretrain.engines.next_tokens import Choice, NextTokens, largest


def next_tokens(logits_NV: torch.Tensor, layout: Layout, choice: Choice) -> NextTokens:
    """The choice at each position, over the vocabulary of all tensor ranks, on each of them.

    Each rank offers its own K likeliest, so that not a row of logits is gathered.
    """
    logits_NV = real_logits(logits_NV, layout)
    width = logits_NV.shape[1]
    first_row = parallel_state.get_tensor_model_parallel_rank() * width
    known = min(max(choice.known - first_row, 0), width)
    offered_NV = logits_NV.index_fill(1, torch.arange(known, width, device=logits_NV.device), -torch.inf)
    values_NK, places_NK = largest(offered_NV, choice.top)
    # A rank's logits may all be padding's; it then adds nothing to the softmax's denominator.
    log_sum_N = torch.cat(_of_all(logits_NV.logsumexp(-1, keepdim=True)), dim=1).logsumexp(-1, keepdim=True)
    # Ranks stand in the order of their rows, so of equal logits the lower id is still the first.
    values_NK, at_NK = largest(torch.cat(_of_all(values_NK), dim=1), choice.top)
    ids_NK = torch.cat(_of_all(places_NK + first_row), dim=1).gather(1, at_NK)
    return NextTokens(ids_NK, (values_NK - log_sum_N).exp())


def _of_all(here: torch.Tensor) -> list[torch.Tensor]:
    """What each tensor rank has, by rank."""
    group: Any = parallel_state.get_tensor_model_parallel_group()
    everywhere = [torch.empty_like(here) for _ in range(dist.get_world_size(group))]
    dist.all_gather(everywhere, here.contiguous(), group=group)
    return everywhere
