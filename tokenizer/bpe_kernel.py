"""Byte-level BPE over UTF-8: words by GPT-2's pattern, merges by rank; the compiled part of `compiled_bpe`.

Shapes: N documents.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from corpus.kernels.compile import kernel
from corpus.kernels.utf8 import Bytes, Int64, Number, UInt64, code_point, mixed

OTHER, LETTER, NUMBER, SPACE, ALONE = range(5)
"""Classes of code points; one that stands alone is a word of its own, and what is before it ends there."""

UNKNOWN = 255
"""Class of a code point that nobody has asked for yet."""

NO_PAIR = np.uint64(0xFFFFFFFFFFFFFFFF)
"""Key of an empty slot, and the value of two tokens that are never joined."""

NO_TOKEN = -1
"""Id of a byte that the vocabulary lacks; such bytes are left out, as if they were not in the text."""

LONGEST_WORD = 1024
"""Bytes; finding the next merge takes time with the square of a word's length, and nothing natural is that long."""

TOO_LONG = -1
"""Count of a document with a longer word."""

_BITS = np.uint64(32)
_LOW = np.uint64(0xFFFFFFFF)

Ids = np.ndarray[Any, np.dtype[np.int32]]


@kernel
def put_merges(merge_M3: Int64, keys: UInt64, values: UInt64) -> None:
    """Fill an empty hash table: from two tokens to the rank of their merge, in the upper half, and its result.

    Args:
        merge_M3: left, right and result of each merge, in the order of ranks; the later of two equal ones counts.
        keys: all NO_PAIR, a power of two long, and at least twice as long as there are merges.
    """
    last = np.uint64(len(keys) - 1)
    for rank in range(len(merge_M3)):
        key = (np.uint64(merge_M3[rank, 0]) << _BITS) | np.uint64(merge_M3[rank, 1])
        slot = mixed(key) & last
        while keys[slot] != NO_PAIR and keys[slot] != key:
            slot = (slot + np.uint64(1)) & last
        keys[slot] = key
        values[slot] = (np.uint64(rank) << _BITS) | np.uint64(merge_M3[rank, 2])


@kernel
def _merge_of(left: Number, right: Number, keys: UInt64, values: UInt64) -> Number:
    last = np.uint64(len(keys) - 1)
    key = (np.uint64(left) << _BITS) | np.uint64(right)
    slot = mixed(key) & last
    while keys[slot] != key:
        if keys[slot] == NO_PAIR:
            return NO_PAIR
        slot = (slot + np.uint64(1)) & last
    return values[slot]


@kernel
def unknown(utf8: Bytes, classes: Bytes) -> Int64:
    """The code points of a text whose class is unknown, each once."""
    seen = np.zeros(len(classes), np.uint8)
    at = 0
    while at < len(utf8):
        point, at = code_point(utf8, at)
        seen[point] = 1
    return np.flatnonzero((seen == 1) & (classes == UNKNOWN))


@kernel
def _contraction(utf8: Bytes, at: Number, end: Number) -> Number:
    """The byte after 's, 't, 're, 've, 'm, 'll or 'd at `at`; `at` if there is none."""
    if utf8[at] != 39 or at + 1 >= end:
        return at
    first = utf8[at + 1]
    if first == 115 or first == 116 or first == 109 or first == 100:  # s t m d
        return at + 2
    if at + 2 < end:
        second = utf8[at + 2]
        if (first == 114 or first == 118) and second == 101:  # re ve
            return at + 3
        if first == 108 and second == 108:  # ll
            return at + 3
    return at


@kernel
def word_end(utf8: Bytes, at: Number, end: Number, classes: Bytes) -> Number:
    """The byte after the word that begins at `at`.

    Source: the pattern of GPT-2 (openai/gpt-2, encoder.py):
    's|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+
    """
    contracted = _contraction(utf8, at, end)
    if contracted > at:
        return contracted
    point, after = code_point(utf8, at)
    kind = classes[point]
    if kind == ALONE:
        return after
    if utf8[at] == 32 and after < end:
        point, behind = code_point(utf8, after)
        if classes[point] < SPACE:
            kind, after = classes[point], behind
    last, following = at, kind
    while after < end:
        point, behind = code_point(utf8, after)
        following = classes[point]
        if following != kind:
            break
        last, after = after, behind
    # The last of several spaces belongs to what follows, unless nothing does.
    if kind == SPACE and last > at and after < end and following != ALONE:
        return last
    return after


@kernel
def _least(merges: UInt64, pairs: Number) -> tuple[Number, Number]:
    """Where the merge of least rank stands, of equal ones the first, and what it is."""
    best, least = 0, merges[0]
    for k in range(1, pairs):
        if merges[k] < least:
            best, least = k, merges[k]
    return best, least


@kernel
def _encode_word(
    utf8: Bytes, at: Number, end: Number, byte_ids: Ids, keys: UInt64, values: UInt64, ids: Ids, merges: UInt64
) -> Number:
    """Ids of a word, at the beginning of `ids`; gives how many."""
    count = 0
    for byte in utf8[at:end]:
        if byte_ids[byte] != NO_TOKEN:
            ids[count] = byte_ids[byte]
            count += 1
    for k in range(count - 1):
        merges[k] = _merge_of(ids[k], ids[k + 1], keys, values)
    while count > 1:
        best, least = _least(merges, count - 1)
        if least == NO_PAIR:
            break
        ids[best] = np.int32(least & _LOW)
        count -= 1
        for k in range(best + 1, count):
            ids[k] = ids[k + 1]
            merges[k - 1] = merges[k]
        if best < count - 1:
            merges[best] = _merge_of(ids[best], ids[best + 1], keys, values)
        if best > 0:
            merges[best - 1] = _merge_of(ids[best - 1], ids[best], keys, values)
    return count


@kernel
def encode_documents(
    utf8: Bytes, offset_N1: Int64, classes: Bytes, byte_ids: Ids, keys: UInt64, values: UInt64, out: Ids, count_N: Int64
) -> Number:
    """Ids of documents, one after the other.

    Args:
        offset_N1: where each document begins, and where the last ends.
        classes: of every code point.
        byte_ids: of each single byte.
        out: at least as long as there are bytes.
        count_N: is given how many ids each document has, or TOO_LONG for one of which none are written.
    Returns:
        How many ids are written.
    """
    ids, merges = np.empty(LONGEST_WORD, np.int32), np.empty(LONGEST_WORD, np.uint64)
    written = 0
    for n in range(len(count_N)):
        at, end, first = offset_N1[n], offset_N1[n + 1], written
        while at < end:
            behind = word_end(utf8, at, end, classes)
            if behind - at > LONGEST_WORD:
                break
            count = _encode_word(utf8, at, behind, byte_ids, keys, values, ids, merges)
            for k in range(count):
                out[written + k] = ids[k]
            written += count
            at = behind
        if at < end:
            written = first
            count_N[n] = TOO_LONG
        else:
            count_N[n] = written - first
    return written
