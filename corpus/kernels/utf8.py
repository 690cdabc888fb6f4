"""Reading code points out of UTF-8 inside a kernel."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

from corpus.kernels.compile import kernel

Bytes = np.ndarray[Any, np.dtype[np.uint8]]
Int64 = np.ndarray[Any, np.dtype[np.int64]]
UInt64 = np.ndarray[Any, np.dtype[np.uint64]]
Float64 = np.ndarray[Any, np.dtype[np.float64]]
Number: TypeAlias = Any
"""A scalar inside a kernel: compiled code knows its width, numpy's and Python's types for it differ."""


@kernel
def code_point(utf8: Bytes, at: Number) -> tuple[Number, Number]:
    """The code point that begins at byte `at`, and the byte after it; the text is valid UTF-8."""
    first = np.int64(utf8[at])
    if first < 0x80:
        return first, at + 1
    if first < 0xE0:
        return ((first & 0x1F) << 6) | np.int64(utf8[at + 1] & 0x3F), at + 2
    if first < 0xF0:
        middle = np.int64(utf8[at + 1] & 0x3F) << 6
        return ((first & 0x0F) << 12) | middle | np.int64(utf8[at + 2] & 0x3F), at + 3
    upper = (np.int64(utf8[at + 1] & 0x3F) << 12) | (np.int64(utf8[at + 2] & 0x3F) << 6)
    return ((first & 0x07) << 18) | upper | np.int64(utf8[at + 3] & 0x3F), at + 4


@kernel
def mixed(value: Number) -> Number:
    """A 64-bit finaliser: every bit of the result depends on every bit of the value.

    Source: splitmix64 (Steele, Lea, Flood 2014), the constants of its public-domain reference.
    """
    z = np.uint64(value)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
