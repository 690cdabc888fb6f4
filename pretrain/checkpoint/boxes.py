"""Boxes: which part of a Hugging Face tensor a piece of memory is.

A box is a block of a tensor given by offsets and sizes in every dimension. Every engine, however it shards,
can say what it holds as boxes, and so any engine can read what any other wrote.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Box:
    """A block of a tensor."""

    offsets: tuple[int, ...]
    sizes: tuple[int, ...]

    @classmethod
    def whole(cls, shape: Sequence[int]) -> Box:
        """The box that is all of a tensor of this shape."""
        return cls((0,) * len(shape), tuple(shape))

    @property
    def count(self) -> int:
        """Numbers in the box."""
        return math.prod(self.sizes)

    @property
    def slices(self) -> tuple[slice, ...]:
        """The box as an index into its tensor."""
        return tuple(slice(start, start + size) for start, size in zip(self.offsets, self.sizes, strict=True))

    def within(self, outer: Box) -> tuple[slice, ...]:
        """The box as an index into a tensor that holds exactly `outer`."""
        starts = (mine - theirs for mine, theirs in zip(self.offsets, outer.offsets, strict=True))
        return tuple(slice(start, start + size) for start, size in zip(starts, self.sizes, strict=True))

    def intersect(self, other: Box) -> Box | None:
        """The part that both cover, if any.

        >>> Box((0, 0), (4, 2)).intersect(Box((3, 1), (5, 5)))
        Box(offsets=(3, 1), sizes=(1, 1))
        """
        offsets = tuple(max(a, b) for a, b in zip(self.offsets, other.offsets, strict=True))
        ends = tuple(
            min(a + n, b + m) for a, n, b, m in zip(self.offsets, self.sizes, other.offsets, other.sizes, strict=True)
        )
        sizes = tuple(end - offset for offset, end in zip(offsets, ends, strict=True))
        return Box(offsets, sizes) if all(size > 0 for size in sizes) else None


def boxes_of_flat_range(shape: Sequence[int], start: int, stop: int) -> Iterator[Box]:
    """Cut the numbers [start, stop) of a row-major tensor into boxes, in order, as few as possible.

    Sharded optimizers hold flat ranges that begin and end anywhere: the rest of a row, whole rows, the beginning
    of a row.

    >>> [box for box in boxes_of_flat_range((3, 4), 2, 9)]
    [Box(offsets=(0, 2), sizes=(1, 2)), Box(offsets=(1, 0), sizes=(1, 4)), Box(offsets=(2, 0), sizes=(1, 1))]
    """
    if start >= stop:
        return
    if len(shape) == 0:
        yield Box((), ())
        return
    row = math.prod(shape[1:])
    first, inside = divmod(start, row)
    if inside or stop < (first + 1) * row:
        end = min(stop, (first + 1) * row)
        for box in boxes_of_flat_range(shape[1:], inside, end - first * row):
            yield Box((first, *box.offsets), (1, *box.sizes))
        yield from boxes_of_flat_range(shape, end, stop)
        return
    rows = (stop - start) // row
    yield Box((first, *(0,) * (len(shape) - 1)), (rows, *shape[1:]))
    yield from boxes_of_flat_range(shape, start + rows * row, stop)


def flat_runs(shape: Sequence[int], box: Box) -> Iterator[tuple[int, int]]:
    """Which numbers of a row-major tensor a box is, in the box's own order: (first, count) of each run.

    >>> list(flat_runs((3, 4), Box((1, 0), (2, 4))))
    [(4, 8)]
    >>> list(flat_runs((3, 4), Box((1, 2), (2, 2))))
    [(6, 2), (10, 2)]
    """
    dim = len(shape)
    while dim > 1 and box.sizes[dim - 1] == shape[dim - 1]:
        dim -= 1
    # What lies behind the first `dim` dimensions is whole, so a run goes over all that is taken of the last of them.
    inner = math.prod(shape[dim:])
    outer = [range(start, start + size) for start, size in zip(box.offsets, box.sizes, strict=True)][: max(dim - 1, 0)]
    for index in itertools.product(*outer):
        first = 0
        for size, at in zip(shape, (*index, *box.offsets[dim - 1 : dim]), strict=False):
            first = first * size + at
        yield first * inner, math.prod(box.sizes[dim - 1 : dim]) * inner
