"""What the gate found, as the manifest and the model card tell it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

RELATIVE_TOLERANCE = 1e-4
"""Of the largest logit. Source: tsugiki's design; what float32 sums of one model differ by when they are added in
another order."""


@dataclass(frozen=True)
class Logits:
    """How far two models' logits are from each other over all tokens of the gate."""

    max_abs_diff: float
    max_abs: float
    """Largest logit of the trained weights."""
    cast_max_abs_diff: float
    """What rounding the weights alone does to a logit; no part of the tolerance."""
    cast_loss_nats: float
    """And to the mean loss of the next token."""

    @property
    def tolerance(self) -> float:
        """The largest difference that may be."""
        return RELATIVE_TOLERANCE * max(1.0, self.max_abs)


@dataclass(frozen=True)
class Greedy:
    """How far the greedy continuations of the folder are those of the trained weights."""

    prompts: int
    tokens: int
    """Tokens that were generated and compared."""
    ties: int
    """Of them those where two tokens are as likely as each other within the tolerance."""


@dataclass(frozen=True)
class GateResult:
    """What the gate found."""

    tokens: int
    """Tokens on which logits were compared."""
    logits: Logits
    greedy: Greedy | None
    """None where the model is too large to be generated with."""
    failures: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether the folder may have its name."""
        return not self.failures

    def to_json(self) -> dict[str, Any]:
        """For the manifest."""
        return {
            "tokens": self.tokens,
            "logits_max_abs_diff": self.logits.max_abs_diff,
            "logits_max_abs": self.logits.max_abs,
            "tolerance": self.logits.tolerance,
            "cast_max_abs_diff": self.logits.cast_max_abs_diff,
            "cast_loss_nats": self.logits.cast_loss_nats,
            "greedy": None if self.greedy is None else asdict(self.greedy),
            "failures": list(self.failures),
        }
