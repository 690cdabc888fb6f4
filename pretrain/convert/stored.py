"""Numbers inside files that torch.save wrote, read where they lie: no more of a file is in memory than is asked for.

torch.save puts every storage, uncompressed, into a zip file. Loaded onto the meta device, a tensor knows where its
storage begins, and nothing but the description of the file was read. A memory map would do as well, but what it has
touched counts as the process's memory until the kernel takes it back.
"""

from __future__ import annotations

import math
import os
import threading
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from configs.errors import UserError
from pretrain.checkpoint.boxes import Box, flat_runs


@dataclass(frozen=True)
class Stored:
    """Numbers that lie one after the other in a file."""

    path: Path
    offset_bytes: int
    """Of the first, from the beginning of the file."""
    count: int
    dtype: torch.dtype

    @property
    def bytes(self) -> int:
        """How many bytes they take."""
        return self.count * self.dtype.itemsize

    def part(self, first: int, count: int) -> Stored:
        """`count` of the numbers, from the one at `first` on."""
        return replace(self, offset_bytes=self.offset_bytes + first * self.dtype.itemsize, count=count)


def stored(path: Path, tensor: torch.Tensor) -> Stored:
    """Where the numbers of a tensor lie that was loaded from a file onto the meta device.

    Raises:
        UserError: if they do not lie one after the other, or the file ends before them.
    """
    if not tensor.is_contiguous():
        raise UserError(f"{path}: holds a tensor of shape {list(tensor.shape)} that is not contiguous")
    begin = tensor.untyped_storage()._checkpoint_offset
    assert begin is not None  # torch.load sets it on the meta device
    offset = begin + int(tensor.storage_offset()) * tensor.dtype.itemsize
    found = Stored(path, offset, tensor.numel(), tensor.dtype)
    end = found.offset_bytes + found.bytes
    if end > path.stat().st_size:
        raise UserError(f"{path}: ends before {end:,} bytes, where its tensors end; it was cut off, copy it again")
    return found


@dataclass(frozen=True)
class Piece:
    """A stretch of a tensor and where it is stored."""

    first: int
    """Its first number, counted in the tensor."""
    stored: Stored


class FlatReader:
    """Puts boxes of tensors together from stretches of them in files; threads may read at once."""

    def __init__(self) -> None:
        self._handles: dict[Path, int] = {}
        self._opening = threading.Lock()

    def read(self, pieces: Sequence[Piece], shape: Sequence[int], box: Box) -> torch.Tensor:
        """The numbers of a box of a tensor.

        Args:
            pieces: all of the tensor, in order, without gap or overlap; of one number format.
            shape: of the tensor.
        Raises:
            UserError: if a file ends too early.
        """
        out = torch.empty(box.sizes, dtype=pieces[0].stored.dtype)
        memory = out.reshape(-1).view(torch.uint8).numpy().data
        begins = [piece.first for piece in pieces]
        for first, count in flat_runs(shape, box):
            while count:
                piece = pieces[bisect_right(begins, first) - 1]
                skipped = first - piece.first
                part = piece.stored.part(skipped, min(count, piece.stored.count - skipped))
                self._fill(memory[: part.bytes], part)
                memory, first, count = memory[part.bytes :], first + part.count, count - part.count
        return out

    def number(self, one: Stored) -> float:
        """A single number."""
        return float(self.read([Piece(0, one)], (one.count,), Box((0,), (1,))))

    def _fill(self, memory: memoryview, part: Stored) -> None:
        handle, offset = self._handle(part.path), part.offset_bytes
        while memory:
            got = os.preadv(handle, [memory], offset)
            if not got:
                raise UserError(f"{part.path}: ends at {offset:,} bytes; it was cut off, copy it again")
            memory, offset = memory[got:], offset + got

    def _handle(self, path: Path) -> int:
        with self._opening:
            if path not in self._handles:
                self._handles[path] = os.open(path, os.O_RDONLY)
            return self._handles[path]

    def close(self) -> None:
        """Let go of the files."""
        while self._handles:
            os.close(self._handles.popitem()[1])


def check_whole(pieces: Sequence[Piece], shape: Sequence[int], what: str) -> None:
    """See that pieces in order are all of a tensor.

    Raises:
        UserError: if there is a gap or an overlap; `what` begins the message.
    """
    at = 0
    for piece in pieces:
        if piece.first != at:
            raise UserError(f"{what}: number {at} is missing or there twice")
        at += piece.stored.count
    if at != math.prod(shape):
        raise UserError(f"{what}: there are {at} of its {math.prod(shape)} numbers")
