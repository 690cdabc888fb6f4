"""Where numbers of some shapes stand, long ones and those with dots or hyphens in them: one pass over the bytes.

Shapes: N documents, H hits.
"""

from __future__ import annotations

import numpy as np

from corpus.kernels.compile import kernel
from corpus.kernels.utf8 import Bytes, Int64, Number
from corpus.kernels.words import BYTES_PER_HIT

LONG_NUMBER, DOTTED, HYPHENATED, HEXADECIMAL = 1, 2, 4, 8
"""Seven digits or more; three dots; a hyphen, behind Japanese; the beginning of an IPv6 address, 2001: or fe80:."""
SHAPES = 4
"""Bits that shapes take."""

_ENOUGH_DIGITS = 7
_LONGEST_GAP = 3


@kernel
def _digit_bytes(utf8: Bytes, at: Number) -> Number:
    """Length of the digit that begins at a byte, ASCII or full-width; 0 if none does."""
    byte = utf8[at]
    if 48 <= byte <= 57:
        return 1
    return 3 if byte == 0xEF and utf8[at + 1] == 0xBC and 0x90 <= utf8[at + 2] <= 0x99 else 0


@kernel
def _joint(utf8: Bytes, at: Number) -> Number:
    """What joins digits to one number: 0 nothing that does, 1 a space or bracket, 2 a hyphen, 3 a dot."""
    byte = utf8[at]
    if byte < 0x80:
        if byte == 45:
            return 2
        if byte == 46:
            return 3
        return 1 if byte in (32, 40, 41) else 0
    return _wide_joint(byte, utf8[at + 1], utf8[at + 2]) if byte in (0xE2, 0xE3, 0xEF) else 0


@kernel
def _wide_joint(first: Number, second: Number, third: Number) -> Number:
    code = ((first & 0x0F) << 12) | ((second & 0x3F) << 6) | (third & 0x3F)
    # Hyphens and dashes, minus, the katakana long marks, の of 2の3, full-width hyphen; then the full-width dot.
    if 0x2010 <= code <= 0x2015 or code in (0x2212, 0x30FC, 0xFF70, 0x306E, 0xFF0D):
        return 2
    if code == 0xFF0E:
        return 3
    return 1 if code in (0x3000, 0xFF08, 0xFF09) else 0


@kernel
def _number(utf8: Bytes, at: Number, end: Number, behind_japanese: Number) -> tuple[Number, Number, Number]:
    """The number that begins at a digit: the byte after it, its characters, and its shapes."""
    digits, hyphens, dots, characters, gap, joint = 0, 0, 0, 0, 0, 0
    after, length = at, 0
    while at < end:
        width = _digit_bytes(utf8, at)
        if width > 0:
            hyphens += gap == 1 and joint == 2
            dots += gap == 1 and joint == 3
            digits += 1
            characters += gap + 1
            gap = 0
            at += width
            after, length = at, characters
        else:
            joint = _joint(utf8, at)
            if joint == 0 or gap == _LONGEST_GAP:
                break
            gap += 1
            at += 1 if utf8[at] < 0x80 else 3
    shapes = (1 if digits >= _ENOUGH_DIGITS else 0) | (2 if dots >= 3 else 0)
    return after, length, shapes | (4 if hyphens > 0 and behind_japanese else 0)


@kernel
def _is_hexadecimal(byte: Number) -> Number:
    return 48 <= byte <= 57 or 97 <= byte <= 102 or 65 <= byte <= 70


@kernel
def _begins_ipv6(utf8: Bytes, colon: Number, first: Number) -> Number:
    """Whether four hexadecimal digits stand before a colon, the first one of a block that is given to machines."""
    if colon < first + 4 or utf8[colon - 4] not in (50, 51, 70, 102):
        return False
    return _is_hexadecimal(utf8[colon - 1]) and _is_hexadecimal(utf8[colon - 2]) and _is_hexadecimal(utf8[colon - 3])


@kernel
def _is_behind_japanese(utf8: Bytes, at: Number, first: Number) -> Number:
    before = at - 1
    if before > first and utf8[before] == 32:
        before -= 1
    return before >= first and utf8[before] >= 0x80


@kernel
def _scan(offsets_N1: Int64, utf8: Bytes, hits_H4: Int64) -> Number:
    count = 0
    for n in range(offsets_N1.size - 1):
        first, end = offsets_N1[n], offsets_N1[n + 1]
        at, character = first, 0
        while at < end:
            byte = utf8[at]
            if (byte > 58 and byte != 0xEF) or byte < 48:
                # Most bytes: neither a digit nor a colon.
                character += byte & 0xC0 != 0x80
                at += 1
                continue
            start, shapes, after, length = character, 0, at + 1, 1
            if _digit_bytes(utf8, at) > 0:
                after, length, shapes = _number(utf8, at, end, _is_behind_japanese(utf8, at, first))
            elif byte == 58 and _begins_ipv6(utf8, at, first):
                start, shapes = character - 4, 8
            if shapes != 0:
                if count < hits_H4.shape[0]:
                    hits_H4[count, 0], hits_H4[count, 1], hits_H4[count, 2] = n, start, character + length
                    hits_H4[count, 3] = shapes
                count += 1
            character += length
            at = after
    return count


def find_numbers(offsets_N1: Int64, utf8: Bytes) -> Int64:
    """Every number that has one of the shapes, in the order of the bytes.

    Returns:
        int64, (H, 4): document, first character, the one after the last, shapes as bits.
    """
    room = int(offsets_N1[-1] - offsets_N1[0]) // BYTES_PER_HIT + 1024
    while True:
        hits_H4 = np.empty((room, 4), np.int64)
        count = int(_scan(offsets_N1, utf8, hits_H4))
        if count <= room:
            return hits_H4[:count]
        room = count
