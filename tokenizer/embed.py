"""First values of the embedding rows of new tokens.

Shapes: V rows of the base, N new rows, H hidden.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch


def init_rows(
    method: Literal["mean"],
    base_embeddings_VH: torch.Tensor,
    spellings: Sequence[Sequence[int]],
    *,
    norm: float,
) -> torch.Tensor:
    """A row for each new token, from the rows of the old tokens that used to spell it.

    Source: mean of sub-pieces as in Fast Vocabulary Transfer (Gee et al., arXiv:2402.09977); the norm is matched
    because a mean of rows that point in different directions is short, and a short output row is never chosen.

    Args:
        spellings: for each new token, its text encoded by the base.
        norm: length of each row, as a multiple of the median length of the base's rows.
    Returns:
        Shape (N, H), dtype of the base's rows.
    Raises:
        ValueError: if a spelling is empty, which would leave its row undefined.
    """
    if method != "mean":
        raise ValueError(f"unknown method {method!r}")
    if not all(spellings):
        raise ValueError("a new token without spelling")
    base: torch.Tensor = base_embeddings_VH.to(torch.float32)
    if not spellings:
        return base_embeddings_VH.new_empty((0, base.shape[1]))
    mean_NH: torch.Tensor = torch.stack([base[list(spelling)].mean(dim=0) for spelling in spellings])
    length = norm * base.norm(dim=1).median()
    rows_NH: torch.Tensor = mean_NH * (length / mean_NH.norm(dim=1, keepdim=True).clamp_min(1e-12))
    return rows_NH.to(base_embeddings_VH.dtype)


def padded_rows(old_rows: int, tokens: int, multiple: int) -> int:
    """Rows of the grown embedding: at least the old ones and one per token, up to a whole multiple.

    >>> padded_rows(49152, 49302, 64)
    49344
    """
    needed = max(old_rows, tokens)
    return -(-needed // multiple) * multiple
