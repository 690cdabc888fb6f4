"""A copy of a rank's state in host memory, from which it is written while training goes on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch

_BLOCK = 1 << 24
"""Numbers of a block, 64 MiB: torch rounds pinned memory up to powers of two, and of one large block half could be
lost."""


class HostCopy:
    """Memory that takes the tensors of one save after the other; allocated once and used for every save.

    Where there is a GPU it is pinned, so that copying runs at the speed of the bus.
    """

    def __init__(self) -> None:
        self._blocks: list[torch.Tensor] = []
        self._room = 0

    def reserve(self, count: int) -> None:
        """Have memory for so many numbers; costs seconds for many gigabytes, so it is done before it is needed."""
        while self._room < count:
            size = min(_BLOCK, count - self._room)
            self._blocks.append(torch.empty(size, dtype=torch.float32, pin_memory=torch.cuda.is_available()))
            self._room += size

    def take(self, tensors: Iterable[torch.Tensor]) -> None:
        """Copy float32 tensors, one after the other; when this returns they may change."""
        tensors = list(tensors)
        self.reserve(sum(tensor.numel() for tensor in tensors))
        room = self._ranges(0, self._room)
        into = next(room, None)
        for tensor in tensors:
            flat = tensor.detach().reshape(-1)
            while flat.numel():
                assert into is not None
                size = min(flat.numel(), into.numel())
                into[:size].copy_(flat[:size], non_blocking=True)
                flat, into = flat[size:], into[size:]
                if not into.numel():
                    into = next(room, None)
        if torch.cuda.is_available():
            torch.cuda.current_stream().synchronize()

    def bytes(self, start: int, stop: int) -> Iterator[memoryview]:
        """The bytes [start, stop) of all that was taken, in pieces of a block."""
        for piece in self._ranges(start // 4, stop // 4):
            yield piece.view(torch.uint8).numpy().data

    def _ranges(self, start: int, stop: int) -> Iterator[torch.Tensor]:
        before = 0
        for block in self._blocks:
            piece = block[max(0, start - before) : max(0, stop - before)]
            if piece.numel():
                yield piece
            before += block.numel()
