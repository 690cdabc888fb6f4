"""What the order of a run must know of a stage; light, so that `tsugiki plan` can ask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class PlannedStage:
    """A stretch of samples with one mixture."""

    samples: int
    weights: Mapping[str, float]
    """Weight of each source; need not add up to 1."""
    seq_len: int = 4096
    """Which packing of the sources is taken."""
