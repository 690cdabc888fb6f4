"""Where ZeRO keeps the numbers of a parameter: which rank has which of them in which of its flat tensors.

ZeRO 1 and 2 lay the parameters of a group of the optimizer end to end and cut that into as many equal partitions as
there are ranks. ZeRO 3 cuts every parameter into equal partitions, the last one padded, and each rank lays its own
partitions of a group of parameters end to end. Adam's moments lie like the weights.

Source: DeepSpeed 0.19.8, runtime/zero/stage_1_and_2.py and stage3.py; utils/zero_to_fp32.py reads the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

Shapes = Mapping[str, tuple[int, ...]]
"""Names and shapes of parameters, in the order in which they lie."""

SUB_GROUP_SIZE = 1_000_000_000
"""Numbers of a rank after which ZeRO 3 begins another flat tensor: DeepSpeed's default of `sub_group_size`."""


@dataclass(frozen=True)
class Stretch:
    """Numbers of a parameter that a rank has."""

    name: str
    first: int
    """The first of them, counted in the parameter."""
    count: int
    rank: int
    group: int
    """Which of the rank's flat tensors they are in."""
    offset: int
    """Where in that they begin."""


def padded_partition(shapes: Shapes, ranks: int) -> int:
    """Numbers in each rank's partition of a group under ZeRO 1 and 2, padding included.

    Groups are padded so that every partition begins at a multiple of four bytes even in 16 bits.
    """
    align = 2 * ranks
    return -(-sum(map(math.prod, shapes.values())) // align) * align // ranks


def end_to_end(
    group: int, shapes: Shapes, partition: int, *, paddings: Sequence[int] | None = None
) -> Iterator[Stretch]:
    """ZeRO 1 and 2: stretches of a group's parameters, each parameter's in order.

    Args:
        partition: numbers in each rank's partition.
        paddings: numbers that were put behind each parameter, for those who asked DeepSpeed to align them.
    """
    start = 0
    for (name, shape), padding in zip(shapes.items(), paddings or [0] * len(shapes), strict=True):
        end = start + math.prod(shape)
        at = start
        while at < end:
            rank = at // partition
            count = min(end, (rank + 1) * partition) - at
            yield Stretch(name, at - start, count, rank, group, at - rank * partition)
            at += count
        start = end + padding


def cut_evenly(group: int, shapes: Shapes, ranks: int) -> Iterator[Stretch]:
    """ZeRO 3: stretches of a flat tensor's parameters, each parameter's in order."""
    offset = 0
    for name, shape in shapes.items():
        whole = math.prod(shape)
        partition = -(-whole // ranks)
        for rank in range(-(-whole // partition) if partition else 0):
            first = rank * partition
            yield Stretch(name, first, min(partition, whole - first), rank, group, offset)
        offset += partition


def evenly_cut_length(shapes: Shapes, ranks: int) -> int:
    """Numbers in a rank's flat tensor of these parameters under ZeRO 3, padding included."""
    return sum(-(-math.prod(shape) // ranks) for shape in shapes.values())


def sub_groups(shapes: Shapes, ranks: int, limit: int = SUB_GROUP_SIZE) -> Iterator[Shapes]:
    """ZeRO 3: which of a group's parameters share a flat tensor."""
    some: dict[str, tuple[int, ...]] = {}
    for name, shape in shapes.items():
        some[name] = shape
        if evenly_cut_length(some, ranks) >= limit:
            yield some
            some = {}
    if some:
        yield some
