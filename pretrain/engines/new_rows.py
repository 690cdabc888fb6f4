"""A learning rate of their own for the embedding rows of new tokens.

They are rows of a tensor whose other rows learn at another rate, which optimizers know nothing of. AdamW's change
of a number is proportional to the learning rate, so the change of these rows is scaled after the step.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch


class NewRows:
    """The memory in which new rows live, wherever the engine keeps its fp32 weights.

    Args:
        views: views into that memory, of any shape; may be empty on a rank that holds none.
    """

    def __init__(self, views: Sequence[torch.Tensor]) -> None:
        self._views = [view.detach() for view in views if view.numel() > 0]

    @contextmanager
    def scaled(self, lr_new_rows: float, lr_embeddings: float) -> Iterator[None]:
        """Run the optimizer's step inside: rows change `lr_new_rows / lr_embeddings` times as much as it says."""
        if not self._views or lr_new_rows == lr_embeddings or lr_embeddings == 0.0:
            yield
            return
        before = [view.clone() for view in self._views]
        yield
        for view, old in zip(self._views, before, strict=True):
            view.sub_(old).mul_(lr_new_rows / lr_embeddings).add_(old)
