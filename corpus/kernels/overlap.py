"""Which documents hold most of a known item: shared character n-grams, counted per item in one pass.

Letters and digits only count, folded in width and case. Shapes: N documents, I items, G different n-grams of all items,
E pairs of an n-gram and an item that has it, P prefixes of n-grams.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from corpus.kernels.compile import kernel
from corpus.kernels.runs import begins_of_runs
from corpus.kernels.utf8 import Bytes, Int64, Number, UInt64, code_point, mixed

Int32 = np.ndarray[Any, np.dtype[np.int32]]
NOTHING = -1
_NOT_ALPHANUMERIC = re.compile(r"[\W_]+")


def folded(text: str) -> str:
    """Letters and digits alone, in compatibility form and lower case.

    >>> folded("ＡＢＣは、何ですか？")
    'abcは何ですか'
    """
    return _NOT_ALPHANUMERIC.sub("", unicodedata.normalize("NFKC", text).lower())


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
def _grams(utf8: Bytes, start: Number, end: Number, table: Int32, window: UInt64, out: UInt64) -> Number:
    """Hashes of all n-grams of one text, in order; gives how many.

    Args:
        window: room for an n-gram.
    """
    seen, written, at, slot = 0, 0, start, 0
    base, last, state = np.uint64(0x9E3779B97F4A7C15), np.uint64(1), np.uint64(0)
    for _ in range(window.size):
        last *= base
    while at < end:
        point, at = code_point(utf8, at)
        if point < 0x10000:
            point = np.int64(table[point])
            if point == 0:
                continue
        value = mixed(np.uint64(point))
        state = state * base + value
        if seen >= window.size:
            state -= last * window[slot]
        window[slot] = value
        slot = slot + 1 if slot + 1 < window.size else 0
        seen += 1
        if seen >= window.size:
            out[written] = mixed(state)
            written += 1
    return written


def grams_of(folded_text: str, ngram: int) -> UInt64:
    """Hashes of the different n-grams of a folded text, ascending."""
    utf8 = np.frombuffer(folded_text.encode(), np.uint8)
    out = np.empty(max(utf8.size, 1), np.uint64)
    count = _grams(utf8, 0, utf8.size, _table(), np.empty(ngram, np.uint64), out)
    return np.unique(out[:count])


@kernel
def _is_none(gram: Number, filter_W: UInt64, word_shift: Number) -> Number:
    """Whether the filter says that nothing has this n-gram: one of its two bits is missing in its word."""
    bits = (np.uint64(1) << (gram & np.uint64(63))) | (np.uint64(1) << ((gram >> np.uint64(6)) & np.uint64(63)))
    return (filter_W[gram >> word_shift] & bits) != bits


@kernel
def _number_of(gram: Number, gram_G: UInt64, bound_P1: Int32, shift: Number) -> Number:
    """The number of an n-gram, or NOTHING."""
    prefix = gram >> shift
    for number in range(bound_P1[prefix], bound_P1[prefix + np.uint64(1)]):
        if gram_G[number] == gram:
            return number
    return -1


Index = tuple[UInt64, Int32, UInt64, Int64, Int32, Int32, Int32]
"""The fields of `Items`."""


@kernel
def _first_item(
    offsets_N1: Int64,
    utf8: Bytes,
    table: Int32,
    size: Number,
    index: Index,
    shift: Number,
    word_shift: Number,
    found_N: Int32,
) -> None:
    gram_G, bound_P1, filter_W, first_G1, item_E, need_I, gap_I = index
    longest = 1
    for n in range(offsets_N1.size - 1):
        longest = max(longest, offsets_N1[n + 1] - offsets_N1[n])
    grams, window = np.empty(longest, np.uint64), np.empty(size, np.uint64)
    # A run of an item: its n-grams close to each other. Scattered over a long text they mean nothing.
    begun_I, last_I, hits_I = np.full(need_I.size, -1), np.full(need_I.size, -(2**40)), np.zeros(need_I.size, np.int64)
    counted_E = np.full(item_E.size, -2)
    place = 0
    for n in range(offsets_N1.size - 1):
        count, best = _grams(utf8, offsets_N1[n], offsets_N1[n + 1], table, window, grams), need_I.size
        place += 2**31  # farther than any gap
        for k in range(count):
            place += 1
            if _is_none(grams[k], filter_W, word_shift):
                continue
            gram = _number_of(grams[k], gram_G, bound_P1, shift)
            if gram < 0:
                continue
            for e in range(first_G1[gram], first_G1[gram + 1]):
                item = item_E[e]
                if place - last_I[item] > gap_I[item]:
                    begun_I[item], hits_I[item] = place, 0
                last_I[item] = place
                if counted_E[e] != begun_I[item]:
                    counted_E[e] = begun_I[item]
                    hits_I[item] += 1
                    if hits_I[item] >= need_I[item] and item < best:
                        best = item
        found_N[n] = best if best < need_I.size else -1


def _filter(gram_G: UInt64) -> UInt64:
    bits = max(1, int(gram_G.size).bit_length() - 3)
    word_G = (gram_G >> np.uint64(64 - bits)).astype(np.int64)
    one, low = np.uint64(1), np.uint64(63)
    bits_G = (one << (gram_G & low)) | (one << ((gram_G >> np.uint64(6)) & low))
    filter_W = np.zeros(1 << bits, np.uint64)
    begins = begins_of_runs(word_G)
    filter_W[word_G[begins]] = np.bitwise_or.reduceat(bits_G, begins) if begins.size else 0
    return filter_W


def _shift(many: int) -> np.uint64:
    """What leaves the first bits of a hash, as many as number so many things, a power of two."""
    return np.uint64(65 - many.bit_length())


@dataclass(frozen=True)
class Items:
    """Items that are looked for, by their n-grams. The arrays may be those of files."""

    gram_G: UInt64
    """All n-grams, ascending. They are hashes, so their first bits nearly say where each stands."""
    bound_P1: Int32
    """Where the n-grams of each prefix begin."""
    filter_W: UInt64
    """Two bits of each n-gram in a word that its first bits name: these fit in a processor's cache, where most n-grams
    of a document end."""
    first_G1: Int64
    """Where the items of each n-gram begin in `item_E`."""
    item_E: Int32
    need_I: Int32
    """So many of its n-grams make an item found."""
    gap_I: Int32
    """So far apart they may be."""

    @classmethod
    def of(cls, grams_I: Sequence[UInt64], ngram: int, min_share: float) -> Items:
        """The items with these n-grams, as `grams_of` gives them."""
        sizes = np.array([grams.size for grams in grams_I], np.int64)
        both = np.concatenate([np.empty(0, np.uint64), *grams_I])
        order = np.argsort(both, kind="stable")
        both = both[order]
        begins = begins_of_runs(both)
        gram_G = both[begins]
        # One to two n-grams a prefix, eight to sixteen bits of the filter an n-gram.
        bits = max(1, int(gram_G.size).bit_length() - 1)
        in_P = np.bincount((gram_G >> np.uint64(64 - bits)).astype(np.int64), minlength=1 << bits)
        return cls(
            gram_G=gram_G,
            bound_P1=np.append(0, np.cumsum(in_P)).astype(np.int32),
            filter_W=_filter(gram_G),
            first_G1=np.append(begins, both.size).astype(np.int64),
            item_E=np.repeat(np.arange(sizes.size), sizes)[order].astype(np.int32),
            # An item without an n-gram is never found.
            need_I=np.where(sizes, np.ceil(sizes * min_share - 1e-9), 2**31 - 1).astype(np.int32),
            # One changed character hides `ngram` n-grams in a row; a quarter of a long item may be missing at a place.
            gap_I=(ngram + np.maximum(4, sizes // 4)).astype(np.int32),
        )

    def first_in(self, offsets_N1: Int64, utf8: Bytes, ngram: int) -> Int32:
        """Number of the first item that each document has, or NOTHING, int32 (N,).

        Args:
            ngram: as their n-grams were made.
        """
        found_N = np.full(offsets_N1.size - 1, NOTHING, np.int32)
        if self.item_E.size:
            index = tuple(vars(self).values())
            shifts = (_shift(self.bound_P1.size - 1), _shift(self.filter_W.size))
            _first_item(offsets_N1, utf8, _table(), ngram, index, *shifts, found_N)
        return found_N
