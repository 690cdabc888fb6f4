"""Which documents a normalisation step would look at for nothing: one pass over the bytes, no text is made.

Shapes: N documents.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from corpus.kernels.compile import kernel
from corpus.kernels.utf8 import Bytes, Int64, Number, code_point

Flags = np.ndarray[Any, np.dtype[np.bool_]]


@kernel
def _invisible(first: Number, second: Number, third: Number) -> Number:
    """Whether the bytes are those of a character that the step `invisible` changes."""
    if first == 0xE2:  # U+200B to U+200F, U+2028 to U+202E, U+2060 to U+2064
        late = 0x8B <= third <= 0x8F or 0xA8 <= third <= 0xAE
        return (second == 0x80 and late) or (second == 0x81 and 0xA0 <= third <= 0xA4)
    return first == 0xEF and second == 0xBB and third == 0xBF


@kernel
def _look(offsets_N1: Int64, utf8: Bytes, invisible_N: Flags, western_N: Flags) -> None:
    for n in range(offsets_N1.size - 1):
        end = offsets_N1[n + 1]
        at, western, japanese = offsets_N1[n], 0, 0
        invisible = False
        while at < end:
            first = utf8[at]
            if first < 0x80:
                invisible |= first == 0x7F or (first < 0x20 and first != 9 and first != 10)
                at += 1
            elif first < 0xE0:
                second = utf8[at + 1]
                invisible |= first == 0xC2 and (second < 0xA0 or second == 0xAD)
                at += 2
            else:
                second, third = utf8[at + 1], utf8[at + 2]
                if first == 0xE3:
                    japanese += second == 0x80 and (third == 0x81 or third == 0x82)  # 、 。
                elif first == 0xE2 or first == 0xEF:
                    western += first == 0xEF and second == 0xBC and (third == 0x8C or third == 0x8E)  # ， ．
                    invisible |= _invisible(first, second, third)
                at += 4 if first >= 0xF0 else 3
        invisible_N[n], western_N[n] = invisible, western > japanese


def look(offsets_N1: Int64, utf8: Bytes) -> tuple[Flags, Flags]:
    """Documents with invisible characters or other line ends than \\n; those with more ，． than 、。."""
    invisible_N = np.zeros(offsets_N1.size - 1, np.bool_)
    western_N = np.zeros(offsets_N1.size - 1, np.bool_)
    _look(offsets_N1, utf8, invisible_N, western_N)
    return invisible_N, western_N


@kernel
def _meet(offsets_N1: Int64, utf8: Bytes, table: Flags, met_N: Flags) -> None:
    for n in range(offsets_N1.size - 1):
        at, end = offsets_N1[n], offsets_N1[n + 1]
        while at < end and not met_N[n]:
            point, at = code_point(utf8, at)
            met_N[n] = point >= 0x10000 or table[point]


def meet(offsets_N1: Int64, utf8: Bytes, table: Flags) -> Flags:
    """Documents with a character of a set, or one beyond U+FFFF.

    Args:
        table: for every code point below 0x10000 whether it is in the set.
    """
    met_N = np.zeros(offsets_N1.size - 1, np.bool_)
    _meet(offsets_N1, utf8, table, met_N)
    return met_N
