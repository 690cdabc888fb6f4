"""First values of the embedding rows of new tokens.

Shapes: V rows of the base, N new rows, H hidden.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch

Method = Literal["mean", "weighted", "first", "last", "align", "random"]
Side = Literal["input", "output"]
"""Which of the two jobs a row has: to be read, or to be predicted; a tied row, which has both, counts as read."""

Spelling = tuple[int, Sequence[int]]
"""How often a new token stood for these old ones, and which."""

# Each piece weighs so many times as much as its neighbour on the side that matters less.
_RATIO = 2.0
# Rows of this many tokens are drawn at once: a draw has as many numbers as the base has rows.
_DRAWN_AT_ONCE = 256


@dataclass(frozen=True)
class RowsOf:
    """How the rows of one embedding begin."""

    method: Method
    norm: float | None = None
    """Length of each row, as a multiple of the median length of the base's rows; none leaves it as it comes."""
    scale: float = 1.0
    """Without `norm`: length of each row, as a multiple of what the method gives."""
    side: Side = "input"
    seed: int = 0
    """Of the method random."""


def init_rows(how: RowsOf, base_embeddings_VH: torch.Tensor, spellings: Sequence[Sequence[Spelling]]) -> torch.Tensor:
    """A row for each new token, from the rows of the old tokens that used to spell it.

    Sources: mean of sub-pieces as in Fast Vocabulary Transfer (Gee et al., arXiv:2402.09977); weights by position as
    in AdaptiVocab (Nakash et al., arXiv:2503.19693); align as in Yamaguchi et al., arXiv:2406.11477; random with the
    mean and covariance of the base's rows as in Hewitt, "Initializing new word embeddings for pretrained language
    models" (2021).

    Args:
        spellings: for each new token all the ways in which the base spells it; the first is the one it was built from,
            and the only one that counts for a method other than align.
    Returns:
        Shape (N, H), dtype of the base's rows.
    Raises:
        ValueError: if a token has no spelling or an empty one, which would leave its row undefined.
    """
    if not all(some and all(pieces for _, pieces in some) for some in spellings):
        raise ValueError("a new token without spelling")
    base_VH: torch.Tensor = base_embeddings_VH.to(torch.float32)
    if how.method == "random":
        rows_NH = _random(base_VH, len(spellings), how.seed)
    else:
        rows_NH = base_VH.new_empty((len(spellings), base_VH.shape[1]))
        for row_H, some in zip(rows_NH, spellings, strict=True):
            weights = piece_weights(how.method, how.side, some)
            weights_K = torch.tensor([weight for _, weight in weights], dtype=torch.float32)
            row_H.copy_(weights_K @ base_VH[[piece for piece, _ in weights]])
    if how.norm is not None:
        length = how.norm * base_VH.norm(dim=1).median()
        # A row of zeros stays one, and is refused by whoever checks the rows.
        rows_NH = rows_NH * (length / rows_NH.norm(dim=1, keepdim=True).clamp_min(1e-12))
    else:
        rows_NH = rows_NH * how.scale
    return rows_NH.to(base_embeddings_VH.dtype)


def piece_weights(method: Method, side: Side, spellings: Sequence[Spelling]) -> list[tuple[int, float]]:
    """Old tokens and what share each has in the row of a new one; the shares add up to 1.

    >>> piece_weights("weighted", "input", [(7, (5, 9))])
    [(5, 0.3333333333333333), (9, 0.6666666666666666)]
    """
    if method == "align":
        total = sum(count for count, _ in spellings)
        return [
            (piece, count / total / len(pieces)) for count, pieces in spellings if count > 0 for piece in pieces
        ] or piece_weights("mean", side, spellings)
    _, pieces = spellings[0]
    if method == "mean":
        return [(piece, 1 / len(pieces)) for piece in pieces]
    if method == "weighted":
        # What was read last says most of what comes next; what is predicted first decides whether the rest is.
        powers = [_RATIO ** (at if side == "input" else -at) for at in range(len(pieces))]
        return [(piece, power / sum(powers)) for piece, power in zip(pieces, powers, strict=True)]
    if method in ("first", "last"):
        return [(pieces[0 if method == "first" else -1], 1.0)]
    raise ValueError(f"unknown method {method!r}; known: {', '.join(get_args(Method))}")


def _random(base_VH: torch.Tensor, count: int, seed: int) -> torch.Tensor:
    """Rows drawn from the normal distribution with the mean and the covariance of the base's rows.

    A sum of the base's centred rows with standard normal weights has their covariance times V: no matrix is factorised,
    which could give other rows on another machine.
    """
    mean_H = base_VH.mean(dim=0)
    centred_VH = (base_VH - mean_H) / (len(base_VH) - 1) ** 0.5
    generator = torch.Generator().manual_seed(seed)
    drawn = [base_VH.new_empty((0, base_VH.shape[1]))]
    for at in range(0, count, _DRAWN_AT_ONCE):
        weights_NV = torch.randn((min(_DRAWN_AT_ONCE, count - at), len(base_VH)), generator=generator)
        drawn.append(mean_H + weights_NV @ centred_VH)
    return torch.cat(drawn)


def unfit_rows(base_VH: torch.Tensor, rows_NH: torch.Tensor) -> list[int]:
    """Numbers of the new rows that no training starts well from.

    They are shorter than a hundredth of the median old row (a token that is never predicted, and is divided by nearly
    zero where the model normalises it), longer than twice the longest old row, or not finite.
    """
    old_V, new_N = base_VH.float().norm(dim=1), rows_NH.float().norm(dim=1)
    fit_N = (new_N >= old_V.median() / 100) & (new_N <= 2 * old_V.max())
    unfit: list[int] = (~fit_N).nonzero()[:, 0].tolist()
    return unfit


def padded_rows(old_rows: int, tokens: int, multiple: int) -> int:
    """Rows of the grown embedding: at least the old ones and one per token, up to a whole multiple.

    >>> padded_rows(49152, 49302, 64)
    49344
    """
    needed = max(old_rows, tokens)
    return -(-needed // multiple) * multiple
