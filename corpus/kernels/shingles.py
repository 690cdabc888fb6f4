"""Character 5-grams: signatures to find similar documents, and the exact similarity of two.

Shapes: N documents, K values of a signature, S different shingles of a document.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from corpus.kernels.compile import kernel
from corpus.kernels.utf8 import Bytes, Int64, Number, UInt64, code_point, mixed

SHINGLE = 5
"""Characters of a shingle; the length Swallow, doubri and text-dedup use for Japanese."""

UInt32 = np.ndarray[Any, np.dtype[np.uint32]]

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


@kernel
def _with(state: Number, point: Number) -> Number:
    """A hash of characters, and one more."""
    state = (state ^ point) * _MULTIPLIER
    return state ^ (state >> np.uint64(32))


@kernel
def _shingles_into(utf8: Bytes, start: Number, end: Number, spaces: bool, out: UInt64) -> Number:
    """Hashes of all shingles of one document, with spaces and newlines or without; gives how many.

    A document shorter than a shingle has one shingle, the whole of it.
    """
    # The last characters in variables of their own: reading them from an array took half as long again.
    a, b, c, d, e = np.uint64(0), np.uint64(0), np.uint64(0), np.uint64(0), np.uint64(0)
    seen, written, at = 0, 0, start
    while at < end:
        point, at = code_point(utf8, at)
        if not spaces and point in (32, 9, 10, 0x3000):
            continue
        a, b, c, d, e = b, c, d, e, np.uint64(point)
        seen += 1
        if seen >= SHINGLE:
            out[written] = mixed(_with(_with(_with(_with(_with(np.uint64(0), a), b), c), d), e))
            written += 1
    if written == 0 and seen > 0:
        state = np.uint64(seen)
        for k, point in enumerate((a, b, c, d, e)):
            if k >= SHINGLE - seen:
                state = (state ^ point) * _MULTIPLIER
        out[0] = mixed(state)
        written = 1
    return written


@kernel
def _sign(offsets_N1: Int64, utf8: Bytes, signature_NK: UInt32) -> None:
    bins = signature_NK.shape[1]
    empty = np.uint32(0xFFFFFFFF)
    longest = 1
    for n in range(offsets_N1.size - 1):
        longest = max(longest, offsets_N1[n + 1] - offsets_N1[n])
    hashes = np.empty(longest, np.uint64)
    for n in range(offsets_N1.size - 1):
        row = signature_NK[n]
        row[:] = empty
        count = _shingles_into(utf8, offsets_N1[n], offsets_N1[n + 1], False, hashes)
        for k in range(count):
            value = hashes[k]
            # The high bits choose the bin, the low ones are the value: one hash serves all bins.
            bin_ = np.int64(((value >> np.uint64(32)) * np.uint64(bins)) >> np.uint64(32))
            # All bits set means empty; a document whose only shingle had that value would have no full bin.
            low = min(np.uint32(value & np.uint64(0xFFFFFFFF)), empty - np.uint32(1))
            row[bin_] = min(row[bin_], low)
        if count > 0:
            _fill_empty_bins(row, empty)


@kernel
def _fill_empty_bins(row: UInt32, empty: Number) -> None:
    """Give an empty bin the value of a full one, chosen by the bin alone, so that equal sets stay equal.

    Source: optimal densification (Shrivastava, ICML 2017): probe pseudo-random bins until one was full.
    """
    bins = row.size
    full = row != empty
    for bin_ in range(bins):
        if not full[bin_]:
            attempt = np.uint64(0)
            donor: Number = bin_
            while not full[donor]:
                attempt += np.uint64(1)
                probe = mixed((np.uint64(bin_) << np.uint64(32)) | attempt)
                donor = np.int64(((probe >> np.uint64(32)) * np.uint64(bins)) >> np.uint64(32))
            row[bin_] = row[donor]


def signatures(offsets_N1: Int64, utf8: Bytes, values: int) -> UInt32:
    """One-permutation MinHash signatures: equal values in two of them estimate the Jaccard similarity.

    Source: Li, Owen, Zhang, One Permutation Hashing (NIPS 2012).

    Args:
        values: bins of a signature, K.
    Returns:
        uint32, (N, K); all bits set for a document without characters.
    """
    signature_NK = np.empty((offsets_N1.size - 1, values), np.uint32)
    _sign(offsets_N1, utf8, signature_NK)
    return signature_NK


def shingles_of(text: str | bytes, *, spaces: bool = False) -> UInt64:
    """The set of a text's shingles.

    Args:
        text: or its UTF-8, where that is at hand.
        spaces: whether spaces and newlines count as characters; in signatures they do not.
    Returns:
        uint64, (S,), sorted, each once.
    """
    utf8 = np.frombuffer(text.encode() if isinstance(text, str) else text, np.uint8)
    out = np.empty(max(len(text), 1), np.uint64)
    found = out[: _shingles_into(utf8, 0, utf8.size, spaces, out)]
    # Not np.unique: it hashes first, and took four times as long.
    found.sort()
    return found[: _each_once(found)].copy()


@kernel
def _each_once(sorted_S: UInt64) -> int:
    """Move the different ones of some sorted hashes to the front; gives how many there are."""
    if sorted_S.size == 0:
        return 0
    different, last = 1, sorted_S[0]
    for k in range(1, sorted_S.size):
        value = sorted_S[k]
        # Written each time, and overwritten unless it is new: a branch that nobody can foresee costs more.
        sorted_S[different] = value
        different += value != last
        last = value
    return different


@kernel
def jaccard(one_S: UInt64, other_S: UInt64) -> Number:
    """Jaccard similarity of two sorted sets; 0 if both are empty."""
    i, j, common = 0, 0, 0
    while i < one_S.size and j < other_S.size:
        if one_S[i] == other_S[j]:
            common += 1
            i += 1
            j += 1
        elif one_S[i] < other_S[j]:
            i += 1
        else:
            j += 1
    union = one_S.size + other_S.size - common
    return common / union if union > 0 else 0.0
