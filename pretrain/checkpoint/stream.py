"""The bytes of many tensors in order, piece by piece.

What is in memory is a few pieces of each stream, whatever the tensors' size.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence

import torch

from configs.errors import UserError
from pretrain.checkpoint.boxes import Box

PIECE_BYTES = 1 << 20
"""Stays in a core's cache between reading, hashing and writing: pieces of 4 MiB took 8 % more processor time."""


def pieces(shape: Sequence[int], itemsize: int, piece_bytes: int = PIECE_BYTES) -> Iterator[Box]:
    """Cut a tensor along its first dimension into boxes of at most so many bytes, at least one row each.

    >>> [box.offsets for box in pieces((5, 2), itemsize=4, piece_bytes=16)]
    [(0, 0), (2, 0), (4, 0)]
    """
    if not shape:
        yield Box((), ())
        return
    rows = max(1, piece_bytes // max(1, math.prod(shape[1:]) * itemsize))
    rest = tuple(shape[1:])
    for row in range(0, shape[0], rows):
        yield Box((row, *(0,) * len(rest)), (min(rows, shape[0] - row), *rest))


def stream(reads: Iterable[Callable[[], torch.Tensor]]) -> Iterator[memoryview]:
    """The bytes of tensors in order, each read when it is asked for; read-only, because nobody changes them any more.

    Not read by another thread: a file hashes what it is given, and what was read a moment ago is in the cache of the
    core that read it. A file writes them beside, see `HashingFile`.

    Args:
        reads: each gives one tensor, of the size of a piece.
    """
    for read in reads:
        yield bytes_of(read()).toreadonly()


def bytes_of(tensor: torch.Tensor) -> memoryview:
    """A tensor's numbers as they stand in a file."""
    return tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data


def cast(values: torch.Tensor, dtype: torch.dtype, name: str) -> torch.Tensor:
    """Values rounded to another number format.

    Args:
        name: of the tensor, for the message.
    Raises:
        UserError: if a finite number is beyond the format's range; it would become infinite.
    """
    rounded = values.to(dtype)
    if rounded.dtype != values.dtype and bool((rounded.isinf() & ~values.isinf()).any()):
        largest = float(values[values.isfinite()].abs().max())
        raise UserError(
            f"{name}: holds {largest:g}, beyond the range of {str(dtype).removeprefix('torch.')} "
            f"({torch.finfo(dtype).max:g}); choose bfloat16 or float32"
        )
    return rounded
