"""The learning rate as a function of the tokens seen."""

from __future__ import annotations

import math

from configs.schema.pretrain import Optim
from pretrain.engines.base import Group


def lr_share(optim: Optim, tokens: int, total_tokens: int) -> float:
    """Share of the peak learning rate for the step that begins after `tokens`.

    Linear warm-up from near 0, then the schedule's way from 1 to `min_lr` at the last token.
    """
    if tokens < optim.warmup_tokens:
        # The first step must move: a rate of exactly 0 would waste its batch.
        return (tokens + 1) / (optim.warmup_tokens + 1)
    if optim.schedule == "constant" or total_tokens <= optim.warmup_tokens:
        return 1.0
    way = min(1.0, (tokens - optim.warmup_tokens) / (total_tokens - optim.warmup_tokens))
    left = 1.0 - way if optim.schedule == "linear" else 0.5 * (1.0 + math.cos(math.pi * way))
    return optim.min_lr + (1.0 - optim.min_lr) * left


def lr_by_group(optim: Optim, tokens: int, total_tokens: int) -> dict[Group, float]:
    """Learning rate of every parameter group for one step."""
    lr = optim.lr * lr_share(optim, tokens, total_tokens)
    return {"matrices": lr, "vectors": lr, "embeddings": lr * optim.embeddings_lr, "new_rows": lr * optim.new_rows_lr}
