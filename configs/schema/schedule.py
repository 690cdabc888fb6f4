"""How the learning rate goes up and down over a stretch of tokens."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from configs.schema.section import Section, rule

Way = Literal["cosine", "linear", "sqrt"]


class Schedule(Section):
    """A warm-up, and the way down from the peak."""

    schedule: Literal["cosine", "linear", "sqrt", "wsd", "constant"] = "cosine"
    """Way from the peak down to min_lr. sqrt: 1 - √share of the way; wsd: stays at the peak, then decays."""
    min_lr: float = Field(default=0.1, ge=0, le=1)
    """Last learning rate, as a share of the peak."""
    warmup_tokens: int = Field(default=0, ge=0)
    """Tokens over which the rate rises linearly from 0."""
    decay: float | None = Field(default=None, gt=0, le=1)
    """Share of all tokens, the last ones, over which wsd decays; none is 0.1."""
    decay_way: Way | None = None
    """Way in which wsd decays; none is sqrt (arXiv:2405.18392)."""

    @property
    def decays_over(self) -> float:
        """Share of all tokens in which the rate may fall; 1 without wsd: all after the warm-up."""
        return (self.decay or 0.1) if self.schedule == "wsd" else 1.0

    def misfit(self, tokens: int) -> str | None:
        """Why this cannot be gone through in so many tokens; none if it can."""
        if self.warmup_tokens > tokens:
            return f"the warm-up of {self.warmup_tokens} tokens is longer than the {tokens} tokens that it is for"
        left = tokens - self.warmup_tokens
        if self.schedule == "wsd" and self.decays_over * tokens > left:
            return f"after the warm-up {left} tokens are left, a decay over {self.decays_over} of {tokens} needs more"
        return None

    @rule("decay")
    def only_wsd_has_a_decay(self) -> str | None:
        if self.decay is not None and self.schedule != "wsd":
            return f"only the schedule wsd has it, {self.schedule} goes down all the way or not at all"
        return None

    @rule("decay_way")
    def only_wsd_has_a_way_of_decay(self) -> str | None:
        if self.decay_way is not None and self.schedule != "wsd":
            return f"only the schedule wsd has it, not {self.schedule}"
        return None


class StageRate(Schedule):
    """A stage's own schedule, over its own tokens."""

    peak: float = Field(default=1.0, gt=0)
    """Peak learning rate of the stage, as a multiple of optim.lr."""
