"""The learning rate as a function of the tokens seen."""

from __future__ import annotations

import math

from configs.schema.pretrain import Optim, Stage
from configs.schema.schedule import Schedule
from pretrain.engines.base import Group


def lr_share(schedule: Schedule, tokens: int, total_tokens: int) -> float:
    """Share of the peak learning rate for the step that begins after `tokens`.

    Linear warm-up from near 0, then the schedule's way from 1 to `min_lr` at the last token.
    """
    warmup = schedule.warmup_tokens
    if tokens < warmup:
        # The first step must move: a rate of exactly 0 would waste its batch.
        return (tokens + 1) / (warmup + 1)
    falls_from = warmup
    if schedule.schedule == "wsd":
        falls_from = max(warmup, total_tokens - round(schedule.decays_over * total_tokens))
    if schedule.schedule == "constant" or tokens <= falls_from or total_tokens <= falls_from:
        return 1.0
    gone = min(1.0, (tokens - falls_from) / (total_tokens - falls_from))
    return schedule.min_lr + (1.0 - schedule.min_lr) * _left(schedule, gone)


def _left(schedule: Schedule, gone: float) -> float:
    """What is left of the way down, from 1 to 0.

    Source: 1-sqrt is Hägele et al., arXiv:2405.18392, section 3.
    """
    way = (schedule.decay_way or "sqrt") if schedule.schedule == "wsd" else schedule.schedule
    if way == "linear":
        return 1.0 - gone
    if way == "sqrt":
        return 1.0 - math.sqrt(gone)
    return 0.5 * (1.0 + math.cos(math.pi * gone))


def share_in_stage(optim: Optim, stage: Stage, begins: int, ends: int, tokens: int, total_tokens: int) -> float:
    """Multiple of `optim.lr` for the step that begins after `tokens` of the run.

    Args:
        begins: tokens of the run before the stage.
        ends: tokens of the run up to its end.
    """
    since = tokens - begins
    if stage.rate is not None:
        return stage.rate.peak * lr_share(stage.rate, since, ends - begins)
    share = lr_share(optim, tokens, total_tokens)
    return share * (since + 1) / (stage.rewarm_tokens + 1) if since < stage.rewarm_tokens else share


def lr_by_group(optim: Optim, share: float) -> dict[Group, float]:
    """Learning rate of every parameter group for one step."""
    lr = optim.lr * share
    return {"matrices": lr, "vectors": lr, "embeddings": lr * optim.embeddings_lr, "new_rows": lr * optim.new_rows_lr}
