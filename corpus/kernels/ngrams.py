"""Character n-grams of documents, exactly, for several n in one go.

An n-gram that occurs once begins no longer n-gram that occurs twice, and neither does it end one. So only places whose
n-gram and whose successor's n-gram were both met again are looked at for n + 1, and there the pair of both, numbers of
table slots, stands for the longer n-gram: nothing is hashed to fewer bits than it has, and nine families cost about as
much as three.

Shapes: N documents, F values of n.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from corpus.kernels.compile import kernel
from corpus.kernels.utf8 import Bytes, Int64, Number, UInt64, code_point

Int32 = np.ndarray[Any, np.dtype[np.int32]]


@kernel
def _group(keys_A: UInt64, active: Number, table: UInt64, count: Int32, slot_A: Int32) -> tuple[Number, ...]:
    """Count equal keys in an open table of at least twice as many slots.

    Gives how many different keys there are, how many of them occur more than once, and how often the most frequent.
    """
    bits = 4
    while (1 << bits) < 2 * active:
        bits += 1
    mask, shift = (1 << bits) - 1, np.uint64(64 - bits)
    count[: 1 << bits] = 0
    different, again, most = 0, 0, 0
    for a in range(active):
        key = keys_A[a]
        slot = np.int64((key * np.uint64(0x9E3779B97F4A7C15)) >> shift)
        while count[slot] != 0 and table[slot] != key:
            slot = (slot + 1) & mask
        met = count[slot] + 1
        # Without branches: whether an n-gram was met before is what no processor can guess.
        table[slot] = key
        different += met == 1
        again += met == 2
        most = max(most, met)
        count[slot] = met
        slot_A[a] = slot
    return different, again, most


@kernel
def _frequent(count: Int32, active: Number, different: Number, again: Number) -> Number:
    """Places of the most frequent n-grams, as many as the root of how many there are, but none that occurs once."""
    bits = 4
    while (1 << bits) < 2 * active:
        bits += 1
    met = count[: 1 << bits]
    met = np.sort(met[met > 1])
    taken = min(np.int64(np.sqrt(different)), again)
    return met[met.size - taken :].sum()


@kernel
def _count(
    offsets_N1: Int64,
    utf8: Bytes,
    longest: Number,
    characters_N: Int64,
    different_NF: Int64,
    again_NF: Int64,
    most_NF: Int64,
    frequent_N: Int64,
) -> None:
    # Everything is allocated once, for the longest document: no n-gram occurs more often than it has bytes.
    size = 16
    while size < 2 * longest:
        size *= 2
    table, count = np.empty(size, np.uint64), np.empty(size, np.int32)
    keys, places, slots = np.empty(longest, np.uint64), np.empty(longest, np.int32), np.empty(longest, np.int32)
    for n in range(offsets_N1.size - 1):
        at, end = offsets_N1[n], offsets_N1[n + 1]
        characters, before = 0, np.int64(0)
        while at < end:
            point, at = code_point(utf8, at)
            if characters > 0:
                keys[characters - 1] = np.uint64((before << 21) | point)
                places[characters - 1] = characters - 1
            before = point
            characters += 1
        characters_N[n] = characters
        active = max(characters - 1, 0)
        for f in range(different_NF.shape[1]):
            grams = characters - 1 - f
            if grams <= 0:
                break
            different, again, most = _group(keys, active, table, count, slots)
            # The others are one of a kind each.
            different_NF[n, f] = grams - active + different
            again_NF[n, f] = again
            most_NF[n, f] = max(most, 1)
            if f == different_NF.shape[1] - 1 and frequent_N.size > 0:
                frequent_N[n] = _frequent(count, active, different_NF[n, f], again)
            left = 0
            for a in range(active - 1):
                slot, after = slots[a], slots[a + 1]
                keys[left] = (np.uint64(slot) << np.uint64(32)) | np.uint64(after)
                here = places[a]
                places[left] = here
                left += (places[a + 1] == here + 1) & (count[slot] > 1) & (count[after] > 1)
            active = left


class NgramCounts(NamedTuple):
    """Counts of the n-grams of N documents; column f is for n = f + 2, zeros where a document is shorter."""

    characters_N: Int64
    """Characters; a document has so many places for an n-gram, less n - 1."""
    different_NF: Int64
    """Different n-grams."""
    again_NF: Int64
    """Those of them that occur more than once."""
    most_NF: Int64
    """How often the most frequent occurs."""
    frequent_N: Int64
    """Occurrences of the most frequent ones of the longest n, as many as the root of how many different ones there
    are, and none that occurs once; empty unless asked for."""


def count_ngrams(offsets_N1: Int64, utf8: Bytes, longest_n: int, *, frequent: bool = False) -> NgramCounts:
    """Count the character n-grams of every document, spaces and newlines included, for n from 2 to `longest_n`."""
    documents = offsets_N1.size - 1
    longest = int(np.diff(offsets_N1).max(initial=1))
    different_NF = np.zeros((documents, longest_n - 1), np.int64)
    counts = NgramCounts(
        np.zeros(documents, np.int64),
        different_NF,
        np.zeros_like(different_NF),
        np.zeros_like(different_NF),
        np.zeros(documents if frequent else 0, np.int64),
    )
    _count(offsets_N1, utf8, longest, *counts)
    return counts
