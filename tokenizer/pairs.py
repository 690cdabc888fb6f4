"""The pairs of neighbours in counted units, the most frequent one at hand."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tokenizer import pair_kernel
from tokenizer.pair_kernel import NONE, OCCURRENCES, PAIRS, QUEUED, Words
from tokenizer.units import UNIT_BYTES

Array = np.ndarray[Any, np.dtype[Any]]

_BITS = 32
# Each token is met once at first, and at most twice more when what stands there is joined.
_MOST_PLACES = np.iinfo(np.int32).max // 3


class PairCounts:
    """Counts of pairs, kept right while pairs are joined.

    Takes about 50 bytes for each token of a unit, and as many for each pair.
    """

    def __init__(self, batches: Iterable[pa.RecordBatch]) -> None:
        batches = list(batches)
        tokens = [np.frombuffer(b"".join(batch.column("unit").to_pylist()), ">i4") for batch in batches]
        lengths = [pc.binary_length(batch.column("unit")).to_numpy() // UNIT_BYTES for batch in batches]
        token_P = np.concatenate([np.empty(0, np.int32), *tokens]).astype(np.int32)
        length_W = np.concatenate([np.empty(0, np.int64), *lengths]).astype(np.int64)
        count_W = np.concatenate([np.empty(0, np.int64), *(batch.column("count").to_numpy() for batch in batches)])
        places = len(token_P)
        if places > _MOST_PLACES:
            raise OverflowError(f"{places} tokens in units are more than can be numbered")
        begins_P1 = np.zeros(places + 1, np.bool_)
        begins_P1[np.cumsum(length_W)] = begins_P1[0] = True
        before_P = np.where(begins_P1[:-1], NONE, np.arange(-1, places - 1)).astype(np.int32)
        after_P = np.where(begins_P1[1:], NONE, np.arange(1, places + 1)).astype(np.int32)
        word_P = np.repeat(np.arange(len(length_W), dtype=np.int32), length_W)
        text = (token_P, before_P, after_P, word_P, count_W.astype(np.int64), np.zeros(3, np.int64))
        pairs = len(np.unique((token_P[:-1].astype(np.uint64) << np.uint64(_BITS)) | token_P[1:].astype(np.uint64)))
        i4, i8 = np.empty(0, np.int32), np.empty(0, np.int64)
        self._words = Words(*text, i4, np.empty(0, np.uint64), i8, i8, i4, i4, i4, i8, i4)
        self._grow(pairs, places, pairs)
        pair_kernel.index_pairs(self._words)

    def next(self, least: int) -> tuple[int, tuple[int, int], int] | None:
        """Take the most frequent pair that is not rarer than `least`: its number, its tokens, its count.

        Of equally frequent ones it is that with the smaller ids. A pair that was taken comes again only when it is
        met anew.
        """
        number, count = pair_kernel.next_pair(self._words, least)
        if number == NONE:
            return None
        pair = int(self._words.pair_Q[number])
        return int(number), (pair >> _BITS, pair & ((1 << _BITS) - 1)), int(count)

    def join(self, number: int, token: int) -> None:
        """Put a token in the place of a pair wherever it stands."""
        more = 2 * int(self._words.places_Q[number])
        self._grow(more, more, more)
        pair_kernel.join(self._words, number, token)

    def _grow(self, pairs: int, occurrences: int, queued: int) -> None:
        """Make room for so many more."""
        words, used = self._words, self._words.used
        if used[PAIRS] + pairs > len(words.pair_Q):
            names = ("pair_Q", "count_Q", "places_Q", "last_Q")
            words = _longer(words, names, used[PAIRS] + pairs)
            slots = np.full(2 << (len(words.pair_Q) - 1).bit_length(), NONE, np.int32)
            words = words._replace(slots=slots)
            pair_kernel.put_pairs(words)
        if used[OCCURRENCES] + occurrences > len(words.place_O):
            words = _longer(words, ("place_O", "previous_O"), used[OCCURRENCES] + occurrences)
        if used[QUEUED] + queued > len(words.queued_H):
            words = _longer(words, ("queued_H", "queued_pair_H"), used[QUEUED] + queued)
        self._words = words


def _longer(words: Words, names: tuple[str, ...], needed: int) -> Words:
    """The same with some arrays half as long again as is needed."""
    longer = {}
    for name in names:
        array: Array = getattr(words, name)
        longer[name] = np.empty(max(needed + needed // 2, 16), array.dtype)
        longer[name][: len(array)] = array
    return words._replace(**longer)
