"""Which documents hold most of a known item: shared character n-grams, counted per item in one pass.

Letters and digits only count, folded in width and case. Shapes: N documents, I items, G different n-grams of all items,
H slots of a hash table.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import Any

import numpy as np

from corpus.kernels.compile import kernel
from corpus.kernels.utf8 import Bytes, Int64, Number, UInt64, code_point, mixed

Int32 = np.ndarray[Any, np.dtype[np.int32]]
NOTHING = -1


def folded(text: str) -> str:
    """Letters and digits alone, in compatibility form and lower case.

    >>> folded("ＡＢＣは、何ですか？")
    'abcは何ですか'
    """
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKC", text).lower()))


@cache
def _table() -> Int32:
    """What every code point below 0x10000 becomes; 0 for what does not count, and for what becomes several."""
    table = np.zeros(0x10000, np.int32)
    for point in range(0x10000):
        if not 0xD800 <= point < 0xE000:
            to = folded(chr(point))
            table[point] = ord(to) if len(to) == 1 else 0
    return table


@kernel
def _grams(utf8: Bytes, start: Number, end: Number, table: Int32, size: Number, window: Int64, out: UInt64) -> Number:
    """Hashes of all n-grams of one text, in order; gives how many."""
    seen, written, at = 0, 0, start
    base, last, state = np.uint64(0x9E3779B97F4A7C15), np.uint64(1), np.uint64(0)
    for _ in range(size):
        last *= base
    while at < end:
        point, at = code_point(utf8, at)
        if point < 0x10000:
            point = np.int64(table[point])
            if point == 0:
                continue
        state = state * base + mixed(np.uint64(point))
        if seen >= size:
            state -= last * mixed(np.uint64(window[seen % size]))
        window[seen % size] = point
        seen += 1
        if seen >= size:
            out[written] = mixed(state)
            written += 1
    return written


Index = tuple[UInt64, Int32, Bytes, Int64, Int32]
"""Hash table of n-grams, their numbers, a bit for every slot that is taken, where each n-gram's postings begin (G + 1),
and the items of the postings. The bits fit in a processor's cache, where most n-grams of a document end."""


@kernel
def _number_of(gram: Number, slot_H: UInt64, gram_H: Int32, taken: Bytes) -> Number:
    """The number of an n-gram, or NOTHING."""
    mask = np.uint64(slot_H.size - 1)
    at = gram & mask
    if (taken[at >> np.uint64(3)] >> (at & np.uint64(7))) & 1 == 0:
        return -1
    while gram_H[at] >= 0 and slot_H[at] != gram:
        at = (at + np.uint64(1)) & mask
    return np.int64(gram_H[at])


@kernel
def _first_item(
    offsets_N1: Int64,
    utf8: Bytes,
    table: Int32,
    size: Number,
    index: Index,
    need_I: Int32,
    gap_I: Int32,
    found_N: Int32,
) -> None:
    slot_H, gram_H, taken, first_G1, items = index
    longest = 1
    for n in range(offsets_N1.size - 1):
        longest = max(longest, offsets_N1[n + 1] - offsets_N1[n])
    grams, window = np.empty(longest, np.uint64), np.zeros(size, np.int64)
    # A run of an item: its n-grams close to each other. Scattered over a long text they mean nothing.
    begun_I, last_I, hits_I = np.full(need_I.size, -1), np.full(need_I.size, -(2**40)), np.zeros(need_I.size, np.int64)
    counted = np.full(items.size, -2)
    place = 0
    for n in range(offsets_N1.size - 1):
        count, best = _grams(utf8, offsets_N1[n], offsets_N1[n + 1], table, size, window, grams), need_I.size
        place += 2**31  # farther than any gap
        for k in range(count):
            place += 1
            gram = _number_of(grams[k], slot_H, gram_H, taken)
            if gram < 0:
                continue
            for i in range(first_G1[gram], first_G1[gram + 1]):
                item = items[i]
                if place - last_I[item] > gap_I[item]:
                    begun_I[item], hits_I[item] = place, 0
                last_I[item] = place
                if counted[i] != begun_I[item]:
                    counted[i] = begun_I[item]
                    hits_I[item] += 1
                    if hits_I[item] >= need_I[item] and item < best:
                        best = item
        found_N[n] = best if best < need_I.size else -1


class Items:
    """Items that are looked for, in a hash table of their n-grams."""

    def __init__(self, texts: list[str], ngram: int, min_share: float) -> None:
        self._ngram, self._table = ngram, _table()
        window, sets = np.zeros(ngram, np.int64), []
        for text in texts:
            utf8 = np.frombuffer(folded(text).encode(), np.uint8)
            out = np.empty(max(utf8.size, 1), np.uint64)
            sets.append(np.unique(out[: _grams(utf8, 0, utf8.size, self._table, ngram, window, out)]))
        sizes = np.array([one.size for one in sets], np.int64)
        # One changed character hides `ngram` n-grams in a row; a quarter of a long item may be missing at one place.
        self._gap_I = (ngram + np.maximum(4, sizes // 4)).astype(np.int32)
        # An item without an n-gram is never found.
        self._need_I = np.where(sizes, np.ceil(sizes * min_share - 1e-9), 2**31 - 1).astype(np.int32)
        both = np.concatenate(sets) if sets else np.empty(0, np.uint64)
        gram_G, inverse = np.unique(both, return_inverse=True)
        self._items = np.repeat(np.arange(len(texts)), sizes)[np.argsort(inverse, kind="stable")].astype(np.int32)
        self._first_G1 = np.concatenate(([0], np.cumsum(np.bincount(inverse, minlength=gram_G.size)))).astype(np.int64)
        self._slot_H, self._gram_H = _hash_table(gram_G)
        self._taken = np.packbits(self._gram_H != NOTHING, bitorder="little")

    def first_in(self, offsets_N1: Int64, utf8: Bytes) -> Int32:
        """Number of the first item that each document has, or NOTHING, int32 (N,)."""
        found_N = np.full(offsets_N1.size - 1, NOTHING, np.int32)
        if self._items.size:
            index = (self._slot_H, self._gram_H, self._taken, self._first_G1, self._items)
            _first_item(offsets_N1, utf8, self._table, self._ngram, index, self._need_I, self._gap_I, found_N)
        return found_N


@kernel
def _fill(gram_G: UInt64, slot_H: UInt64, gram_H: Int32) -> None:
    mask = np.uint64(slot_H.size - 1)
    for gram in range(gram_G.size):
        at = gram_G[gram] & mask
        while gram_H[at] >= 0:
            at = (at + np.uint64(1)) & mask
        slot_H[at], gram_H[at] = gram_G[gram], gram


def _hash_table(gram_G: UInt64) -> tuple[UInt64, Int32]:
    size = 1 << (2 * gram_G.size + 1).bit_length()
    slot_H, gram_H = np.zeros(size, np.uint64), np.full(size, NOTHING, np.int32)
    _fill(gram_G, slot_H, gram_H)
    return slot_H, gram_H
