"""SentencePiece BPE over UTF-8; the compiled part of `compiled_sp_bpe`.

There are no words: merges may cross from one to the next. But where no merge has a left side that ends in one
character and a right side that begins with the next, none ever crosses between the two, and what stands on either side
is merged by itself.

Shapes: N documents, S seams.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from corpus.kernels.compile import kernel
from corpus.kernels.utf8 import Bytes, Int64, Number, UInt64, code_point
from tokenizer.bpe_kernel import LONGEST_WORD, NO_TOKEN, merged, pair_key, slot_of
from tokenizer.compiled import TOO_LONG, Ids

NO_PREFIX, PREFIX, PREFIX_UNLESS_SPACE = range(3)
"""What stands before a text: nothing, a space, or a space if the text has none there."""

_SPACE, _MARK = 0x20, 0x2581


class Vocabulary(NamedTuple):
    """A vocabulary and its merges, in arrays."""

    point_ids: Ids
    """Of each code point as a piece (0x110000,); NO_TOKEN for those spelt by bytes."""
    byte_ids: Ids
    """Of each single byte (256,)."""
    seams: UInt64
    """Pairs of characters that some merge may cross between, as `put_seams` fills it."""
    keys: UInt64
    values: UInt64
    """The merges, as `bpe_kernel.put_merges` fills them."""


@kernel
def put_seams(seam_S2: Int64, slots: UInt64) -> None:
    """Fill an empty hash table.

    Args:
        seam_S2: ids of the characters before and behind each seam.
        slots: all NO_PAIR, a power of two long, and at least twice as long as there are seams.
    """
    for n in range(len(seam_S2)):
        key = pair_key(seam_S2[n, 0], seam_S2[n, 1])
        slots[slot_of(key, slots)] = key


@kernel
def _is_seam(left: Number, right: Number, slots: UInt64) -> bool:
    key = pair_key(left, right)
    return bool(slots[slot_of(key, slots)] == key)


@kernel
def _flush(ids: Ids, count: Number, vocabulary: Vocabulary, merges: UInt64, out: Ids, written: Number) -> Number:
    """Merge what was gathered, and write it; gives how many ids are written in all."""
    left = merged(ids, count, vocabulary.keys, vocabulary.values, merges) if count > 1 else count
    for k in range(left):
        out[written + k] = ids[k]
    return written + left


@kernel
def begins_with_space(utf8: Bytes, at: Number) -> bool:
    """Whether a space stands at `at`, or what is read as one."""
    point, _ = code_point(utf8, at)
    return point in (_SPACE, _MARK)


@kernel
def encode_documents(
    utf8: Bytes, offset_N1: Int64, prefix: int, vocabulary: Vocabulary, out: Ids, count_N: Int64
) -> Number:
    """Ids of documents, one after the other.

    Args:
        offset_N1: where each document begins, and where the last ends.
        prefix: what stands before each.
        out: at least as long as there are bytes and documents.
        count_N: is given how many ids each document has, or TOO_LONG for one of which none are written.
    Returns:
        How many ids are written.
    """
    ids, merges = np.empty(LONGEST_WORD, np.int32), np.empty(LONGEST_WORD, np.uint64)
    point_ids = vocabulary.point_ids
    written = 0
    for n in range(len(count_N)):
        at, end, first, count = offset_N1[n], offset_N1[n + 1], written, 0
        if at < end and (prefix == PREFIX or (prefix == PREFIX_UNLESS_SPACE and not begins_with_space(utf8, at))):
            ids[0] = point_ids[_MARK]
            count = 1
        while at < end:
            point, behind = code_point(utf8, at)
            number = point_ids[_MARK if point == _SPACE else point]
            if count > 0 and (number == NO_TOKEN or not _is_seam(ids[count - 1], number, vocabulary.seams)):
                written = _flush(ids, count, vocabulary, merges, out, written)
                count = 0
            if number == NO_TOKEN:
                for byte in utf8[at:behind]:
                    out[written] = vocabulary.byte_ids[byte]
                    written += 1
            elif count == LONGEST_WORD:
                break
            else:
                ids[count] = number
                count += 1
            at = behind
        if at < end:
            written = first
            count_N[n] = TOO_LONG
        else:
            written = _flush(ids, count, vocabulary, merges, out, written)
            count_N[n] = written - first
    return written
