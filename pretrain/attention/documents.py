"""Which keys each position of a micro-batch looks at: those of its own document up to itself, and nothing else.

Shapes: Q positions on this rank, T positions of the whole row.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch

MadeT = TypeVar("MadeT")


@dataclass(frozen=True)
class Slice:
    """Positions of one document that follow each other on this rank."""

    first: int
    """Where it begins among this rank's positions."""
    length: int
    begin: int
    """Where what it looks at begins in the whole row: the begin of its document."""
    end: int
    """Where it ends in the whole row; its last position looks at all of [begin, end), the one before at all but one."""


class Documents:
    """The slices of a micro-batch on this rank, end to end, and what a kernel makes of them once for all layers.

    Args:
        keys: positions of the whole row; none if all of them are on this rank.
    """

    def __init__(self, slices: Sequence[Slice], keys: int | None = None) -> None:
        self.slices = tuple(slices)
        self.queries = self.slices[-1].first + self.slices[-1].length
        self.keys = self.queries if keys is None else keys
        self.whole = self.queries == self.keys and all(
            (one.first, one.length) == (one.begin, one.end - one.begin) for one in self.slices
        )
        """Whether each slice is a document, and all of them make up the row."""
        self._made: dict[Any, Any] = {}

    @classmethod
    def of(cls, bounds: Sequence[int]) -> Documents:
        """Documents that are whole on this rank.

        Args:
            bounds: where they begin, from 0, and the end of the last; of an empty one nothing is left.
        """
        return cls(slices(bounds, [(0, bounds[-1])]))

    def once(self, make: Callable[[Documents, torch.device], MadeT], device: torch.device) -> MadeT:
        """What `make` gives for these documents on a device; made when it is first asked for."""
        key = (make, device)
        if key not in self._made:
            self._made[key] = make(self, device)
        made: MadeT = self._made[key]
        return made


def slices(bounds: Sequence[int], held: Sequence[tuple[int, int]]) -> list[Slice]:
    """What a rank has of documents.

    Args:
        bounds: where the documents begin in the row, and the end of the last.
        held: from and to which position of the row each of the rank's stretches reaches.
    """
    found: list[Slice] = []
    for held_begin, held_end in held:
        for begin, end in itertools.pairwise(bounds):
            first, last = max(begin, held_begin), min(end, held_end)
            if first < last:
                here = found[-1].first + found[-1].length if found else 0
                found.append(Slice(here, last - first, begin, last))
    return found
