"""What an engine is fed: packed sequences laid end to end in one row.

Shapes: T positions of all sequences of the micro-batch, D documents (padding counts as one).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

NO_LABEL = -100
"""Label of a position that predicts nothing: the last token of a document, and padding."""


@dataclass(frozen=True)
class MicroBatch:
    """One forward pass of one data rank.

    Sequences stand behind each other in a single row: attention is confined to documents by `cu_seqlens`
    anyway, so a batch dimension would say nothing more.
    """

    tokens_T: torch.Tensor
    """int64, (T,)"""
    labels_T: torch.Tensor
    """int64, (T,): the next token of the same document, or NO_LABEL."""
    positions_T: torch.Tensor
    """int64, (T,): restarts at 0 with every document, so that RoPE does."""
    cu_seqlens: torch.Tensor
    """int32, (D + 1,): where documents begin, and T at the end."""
    source_T: torch.Tensor
    """int64, (T,): index of the source of each position."""

    @property
    def labelled(self) -> int:
        """Positions that predict something."""
        return int((self.labels_T != NO_LABEL).sum())

    def without_labels(self) -> MicroBatch:
        """The same shape with nothing to predict."""
        return replace(self, labels_T=torch.full_like(self.labels_T, NO_LABEL))

    def to(self, device: torch.device) -> MicroBatch:
        """The same on another device."""
        return MicroBatch(
            self.tokens_T.to(device, non_blocking=True),
            self.labels_T.to(device, non_blocking=True),
            self.positions_T.to(device, non_blocking=True),
            self.cu_seqlens.to(device, non_blocking=True),
            self.source_T.to(device, non_blocking=True),
        )
