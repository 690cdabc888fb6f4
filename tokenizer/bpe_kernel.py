"""Byte-level BPE over UTF-8, merges by rank; the compiled part of `compiled_bpe`.

Shapes: N documents.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from corpus.kernels.compile import kernel
from corpus.kernels.utf8 import Bytes, Int64, Number, UInt64, mixed
from tokenizer.compiled import TOO_LONG, Ids
from tokenizer.word_kernel import word_end

NO_PAIR = np.uint64(0xFFFFFFFFFFFFFFFF)
"""Key of an empty slot, and the value of two tokens that are never joined."""

NO_WORD = -1
"""In an empty slot of a table of words, and the number of what is no word."""

NO_TOKEN = -1
"""Id of a byte that the vocabulary lacks; such bytes are left out, as if they were not in the text."""

LONGEST_WORD = 1024
"""Bytes; finding the next merge takes time with the square of a word's length, and nothing natural is that long."""

_BITS = np.uint64(32)
_LOW = np.uint64(0xFFFFFFFF)
_FNV_PRIME = np.uint64(0x100000001B3)


class Vocabulary(NamedTuple):
    """A vocabulary and its merges, in arrays."""

    byte_ids: Ids
    """Of each single byte (256,)."""
    keys: UInt64
    values: UInt64
    """The merges, as `put_merges` fills them."""
    words: Bytes
    offset_W1: Int64
    word_slots: Int64
    """The words that have a token whatever the merges say, as `put_words` fills them; none in most tokenizers."""
    word_ids: Ids
    """Of each such word."""


@kernel
def pair_key(left: Number, right: Number) -> Number:
    """Two ids as one number; never NO_PAIR."""
    return (np.uint64(left) << _BITS) | np.uint64(right)


@kernel
def slot_of(key: Number, keys: UInt64) -> Number:
    """Where a key stands in a hash table, or the empty slot in which it would be put."""
    last = np.uint64(len(keys) - 1)
    slot = mixed(key) & last
    while keys[slot] != NO_PAIR and keys[slot] != key:
        slot = (slot + np.uint64(1)) & last
    return slot


@kernel
def put_merges(merge_M3: Int64, keys: UInt64, values: UInt64) -> None:
    """Fill an empty hash table: from two tokens to the rank of their merge, in the upper half, and its result.

    Args:
        merge_M3: left, right and result of each merge, in the order of ranks; the later of two equal ones counts.
        keys: all NO_PAIR, a power of two long, and at least twice as long as there are merges.
    """
    for rank in range(len(merge_M3)):
        key = pair_key(merge_M3[rank, 0], merge_M3[rank, 1])
        slot = slot_of(key, keys)
        keys[slot] = key
        values[slot] = (np.uint64(rank) << _BITS) | np.uint64(merge_M3[rank, 2])


@kernel
def _merge_of(left: Number, right: Number, keys: UInt64, values: UInt64) -> Number:
    key = pair_key(left, right)
    slot = slot_of(key, keys)
    return values[slot] if keys[slot] == key else NO_PAIR


@kernel
def put_words(words: Bytes, offset_W1: Int64, slots: Int64) -> None:
    """Fill an empty hash table with words, which differ.

    Args:
        words: one after the other.
        slots: all NO_WORD, a power of two long, and at least twice as long as there are words.
    """
    last = np.uint64(len(slots) - 1)
    for number in range(len(offset_W1) - 1):
        slot = _hash(words, offset_W1[number], offset_W1[number + 1]) & last
        while slots[slot] != NO_WORD:
            slot = (slot + np.uint64(1)) & last
        slots[slot] = number


@kernel
def _hash(utf8: Bytes, at: Number, end: Number) -> Number:
    value = np.uint64(end - at)
    for byte in utf8[at:end]:
        value = (value ^ np.uint64(byte)) * _FNV_PRIME
    return mixed(value)


@kernel
def _word_number(utf8: Bytes, at: Number, end: Number, words: Bytes, offset_W1: Int64, slots: Int64) -> Number:
    """Which of the words stands at `at`; NO_WORD if none does."""
    last = np.uint64(len(slots) - 1)
    slot = _hash(utf8, at, end) & last
    while slots[slot] != NO_WORD:
        first = offset_W1[slots[slot]]
        if offset_W1[slots[slot] + 1] - first == end - at:
            same = 0
            while same < end - at and utf8[at + same] == words[first + same]:
                same += 1
            if same == end - at:
                return slots[slot]
        slot = (slot + np.uint64(1)) & last
    return NO_WORD


@kernel
def _least(merges: UInt64, pairs: Number) -> tuple[Number, Number]:
    """Where the merge of least rank stands, of equal ones the first, and what it is."""
    best, least = 0, merges[0]
    for k in range(1, pairs):
        if merges[k] < least:
            best, least = k, merges[k]
    return best, least


@kernel
def _encode_word(utf8: Bytes, at: Number, end: Number, vocabulary: Vocabulary, ids: Ids, merges: UInt64) -> Number:
    """Ids of a word, at the beginning of `ids`; gives how many."""
    if len(vocabulary.word_ids):
        number = _word_number(utf8, at, end, vocabulary.words, vocabulary.offset_W1, vocabulary.word_slots)
        if number != NO_WORD:
            ids[0] = vocabulary.word_ids[number]
            return 1
    count = 0
    for byte in utf8[at:end]:
        if vocabulary.byte_ids[byte] != NO_TOKEN:
            ids[count] = vocabulary.byte_ids[byte]
            count += 1
    return merged(ids, count, vocabulary.keys, vocabulary.values, merges)


@kernel
def merged(ids: Ids, count: Number, keys: UInt64, values: UInt64, merges: UInt64) -> Number:
    """Apply merges to the first `count` ids, the best first; gives how many ids are left."""
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
    utf8: Bytes, offset_N1: Int64, pattern: int, classes: Bytes, vocabulary: Vocabulary, out: Ids, count_N: Int64
) -> Number:
    """Ids of documents, one after the other.

    Args:
        offset_N1: where each document begins, and where the last ends.
        pattern: of `word_kernel`.
        classes: of every code point.
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
            behind = word_end(pattern, utf8, at, end, classes)
            if behind - at > LONGEST_WORD:
                break
            count = _encode_word(utf8, at, behind, vocabulary, ids, merges)
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
