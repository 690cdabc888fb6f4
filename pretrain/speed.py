"""How fast a run is, and which rank holds it up.

In every step all ranks wait for the slowest, so that their steps take equally long, and the time of a step does not
tell who was waited for. Compared is what a rank does for itself: preparing its micro-batches, and its forward passes.
Within a tensor-parallel group and under ZeRO 3, ranks wait for each other in forward passes too: there the whole group
looks slow, or nobody does. Pipeline stages differ by nature, so ranks are compared with others of their stage.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any

from pretrain.stragglers import Straggler

_GIB = 1 << 30


@dataclass
class Window:
    """What one rank has measured over some consecutive steps."""

    step_s: float = 0.0
    """All of the steps, from asking for micro-batches to the sums."""
    data_wait_s: float = 0.0
    """Of that, until the micro-batches were there."""
    forward_s: float = 0.0
    """Of that, forward passes."""
    pairs: float = 0.0
    """Tokens with tokens that they attend to, of this rank's micro-batches."""
    memory_bytes: float = 0.0
    """Most memory since the run began."""

    def to_row(self) -> list[float]:
        """As numbers, which ranks exchange."""
        return [getattr(self, field.name) for field in fields(self)]


@dataclass(frozen=True)
class Speed:
    """The same over all ranks."""

    steps: int
    tokens: int
    """Of those steps, padding included."""
    step_s: float
    """Mean time of a step on the rank where it is longest."""
    data_wait: float
    """Share of the steps, 0 to 1, in which the rank that waited longest had no micro-batches."""
    memory_gib: float
    """Most on any rank."""
    behind: tuple[float, ...]
    """By what share a rank's own work takes longer than that of the rank in the middle of its stage, by rank."""
    utilisation: float | None
    """Model FLOPs by what the devices could do, 0 to 1; none where no peak is known."""

    @classmethod
    def of(
        cls, table: Sequence[Window], steps: int, tokens: int, *, pipeline: int = 1, utilisation: float | None = None
    ) -> Speed:
        """Put together what the ranks have measured, by rank.

        Args:
            pipeline: stages of the model; the ranks of each stand behind each other.
        """
        behind = _behind([window.data_wait_s + window.forward_s for window in table], pipeline)
        return cls(
            steps=steps,
            tokens=tokens,
            step_s=max(window.step_s for window in table) / steps,
            data_wait=max(window.data_wait_s / window.step_s for window in table),
            memory_gib=max(window.memory_bytes for window in table) / _GIB,
            behind=tuple(behind),
            utilisation=utilisation,
        )

    @property
    def spread(self) -> float:
        """By what share the slowest rank is behind the one in the middle."""
        return max(self.behind)

    @property
    def slowest(self) -> int:
        """Number of that rank."""
        return self.behind.index(self.spread)

    @property
    def tokens_per_s(self) -> float:
        """Over all ranks, evaluations and checkpoints left out."""
        return self.tokens / (self.step_s * self.steps)

    def scalars(self) -> dict[str, float]:
        """For TensorBoard."""
        known = {} if self.utilisation is None else {"train/utilisation": self.utilisation}
        return known | {
            "train/tokens_per_s": self.tokens_per_s,
            "train/step_s": self.step_s,
            "train/data_wait": self.data_wait,
            "train/memory_gib": self.memory_gib,
            "train/rank_spread": self.spread,
        }

    def to_json(
        self, step: int, hosts: Sequence[str], attention: str, stragglers: Sequence[Straggler] = ()
    ) -> dict[str, Any]:
        """The line after optimizer step `step`.

        Args:
            hosts: by rank.
            attention: the kernel that it runs on.
            stragglers: ranks that hold the others up again and again.
        """
        measured = {name.removeprefix("train/"): value for name, value in self.scalars().items()}
        return {
            "kind": "speed",
            "step": step,
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "steps": self.steps,
            "tokens": self.tokens,
            "slowest": {"rank": self.slowest, "host": hosts[self.slowest]},
            "stragglers": [one.to_json() for one in stragglers],
            "attention": attention,
            **measured,
        }

    def told(self) -> str:
        """In a line for people."""
        share = [] if self.utilisation is None else [f"MFU {self.utilisation * 100:.1f} %"]
        return "  ".join([*share, f"memory {self.memory_gib:.1f} GiB", f"data wait {self.data_wait * 100:.1f} %"])


def _behind(own_s: Sequence[float], pipeline: int) -> Iterator[float]:
    """Of each rank: the share by which it takes longer than the middle one of its pipeline stage; 0 if it does not."""
    ranks = len(own_s) // pipeline
    for first in range(0, len(own_s), ranks):
        stage = own_s[first : first + ranks]
        middle = statistics.median_low(stage)
        yield from (max(seconds / middle - 1, 0.0) if middle else 0.0 for seconds in stage)
