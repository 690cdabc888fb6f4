"""Arrays of numbers in one file, mapped into memory: processes of a machine that read it share it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

_ALIGNED_BYTES = 8

Array = np.ndarray[Any, np.dtype[Any]]


class Out(Protocol):
    """What arrays are written to."""

    def write(self, data: Any, /) -> int: ...


def write_arrays(out: Out, arrays: Sequence[Array]) -> None:
    """Write the lengths of some arrays of one dimension, then their bytes."""
    for array in (np.array([one.size for one in arrays], np.int64), *arrays):
        out.write(array.data)
        out.write(bytes(-array.nbytes % _ALIGNED_BYTES))


def mapped_arrays(path: Path, kinds: Sequence[type[np.generic]]) -> list[Array]:
    """The arrays of a file, in order.

    Args:
        kinds: what numbers each holds.
    """
    # Kernels know arrays that one can write to; a page that nobody writes to stays the file's.
    data = np.asarray(np.memmap(path, np.uint8, "c"))
    at = _ALIGNED_BYTES * len(kinds)
    found = []
    for count, kind in zip(data[:at].view(np.int64).tolist(), kinds, strict=True):
        array = data[at : at + count * np.dtype(kind).itemsize].view(kind)
        found.append(array)
        at += array.nbytes + -array.nbytes % _ALIGNED_BYTES
    return found
