"""Neighbours in words, counted, and joined one pair after the other; compiled.

Shapes: W words, P places of tokens in them, one word after the other, Q pairs, O occurrences, H entries of the queue.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from corpus.kernels.compile import kernel
from corpus.kernels.utf8 import Int64, Number, UInt64, mixed
from tokenizer.compiled import Ids

NONE = -1
"""In place of a neighbour, a token, an occurrence or a pair, where there is none."""

PAIRS, OCCURRENCES, QUEUED = range(3)
"""What `used` says of: how much of the arrays is in use."""

_BITS = np.uint64(32)


class Words(NamedTuple):
    """Words as lists of tokens, and where each pair of neighbours stands in them."""

    token_P: Ids
    """NONE where a token was joined to the one before it."""
    before_P: Ids
    after_P: Ids
    """The place of the neighbour."""
    word_P: Ids
    count_W: Int64
    used: Int64
    """(3,)"""
    slots: Ids
    """A hash table of pairs; a power of two long, and at least twice as long as there can be pairs."""
    pair_Q: UInt64
    """Left and right token, the left one in the upper half."""
    count_Q: Int64
    places_Q: Int64
    """How many occurrences its list has."""
    last_Q: Ids
    """Its last occurrence."""
    place_O: Ids
    """Of the left token, when the pair was met; it may have been joined since."""
    previous_O: Ids
    """The occurrence of the same pair before it."""
    queued_H: Int64
    """A heap: the count of a pair when it was put there, the greatest first, of equal ones the smaller pair."""
    queued_pair_H: Ids


@kernel
def index_pairs(words: Words) -> None:
    """Count the pairs of all words, and queue them."""
    for place in range(len(words.token_P)):
        if words.after_P[place] != NONE:
            _meet(words, place)
    for number in range(words.used[PAIRS]):
        _push(words, words.count_Q[number], number)


@kernel
def next_pair(words: Words, least: int) -> tuple[Number, Number]:
    """Take the most frequent pair from the queue, and its count; NONE if all are rarer than `least`."""
    while words.used[QUEUED]:
        number, count = words.queued_pair_H[0], words.count_Q[words.queued_pair_H[0]]
        queued = words.queued_H[0]
        _pop(words)
        if count < least:
            continue
        if queued == count:
            return number, count
        _push(words, count, number)  # it became rarer since it was put there
    return NONE, 0


@kernel
def join(words: Words, number: int, token: int) -> None:
    """Put a token in the place of a pair wherever it stands, from left to right in each word.

    There must be room for twice as many pairs, occurrences and queue entries as the pair has occurrences.
    """
    left, right = np.int64(words.pair_Q[number] >> _BITS), np.int64(words.pair_Q[number] & np.uint64(0xFFFFFFFF))
    places = np.empty(words.places_Q[number], np.int32)
    at = words.last_Q[number]
    for k in range(len(places)):
        places[k], at = words.place_O[at], words.previous_O[at]
    words.last_Q[number], words.places_Q[number] = NONE, 0
    places.sort()
    changed, changes = np.empty(2 * len(places), np.int32), 0
    for place in places:
        other = words.after_P[place]
        if words.token_P[place] != left or other == NONE or words.token_P[other] != right:
            continue
        before, behind = words.before_P[place], words.after_P[other]
        for lost in (before, place, other):
            if lost != NONE and words.after_P[lost] != NONE:
                words.count_Q[_number_of(words, lost)] -= words.count_W[words.word_P[place]]
        words.token_P[place], words.token_P[other] = token, NONE
        words.after_P[place] = behind
        if behind != NONE:
            words.before_P[behind] = place
            changed[changes] = _meet(words, place)
            changes += 1
        if before != NONE:
            changed[changes] = _meet(words, before)
            changes += 1
    for pair in np.unique(changed[:changes]):
        _push(words, words.count_Q[pair], pair)


@kernel
def put_pairs(words: Words) -> None:
    """Fill an empty hash table with the pairs."""
    for number in range(words.used[PAIRS]):
        words.slots[_slot(words, words.pair_Q[number])] = number


@kernel
def _meet(words: Words, place: Number) -> Number:
    """Count the pair that begins at a place; gives its number."""
    number = _number_of(words, place)
    words.count_Q[number] += words.count_W[words.word_P[place]]
    at = words.used[OCCURRENCES]
    words.used[OCCURRENCES] += 1
    words.place_O[at], words.previous_O[at] = place, words.last_Q[number]
    words.last_Q[number] = at
    words.places_Q[number] += 1
    return number


@kernel
def _number_of(words: Words, place: Number) -> Number:
    """The number of the pair that begins at a place, which may be new."""
    right = np.uint64(words.token_P[words.after_P[place]])
    pair = (np.uint64(words.token_P[place]) << _BITS) | right
    slot = _slot(words, pair)
    if words.slots[slot] == NONE:
        number = words.used[PAIRS]
        words.used[PAIRS] += 1
        words.slots[slot], words.pair_Q[number] = number, pair
        words.count_Q[number], words.places_Q[number], words.last_Q[number] = 0, 0, NONE
    return words.slots[slot]


@kernel
def _slot(words: Words, pair: Number) -> Number:
    last = np.uint64(len(words.slots) - 1)
    slot = mixed(pair) & last
    while words.slots[slot] != NONE and words.pair_Q[words.slots[slot]] != pair:
        slot = (slot + np.uint64(1)) & last
    return slot


@kernel
def _comes_before(words: Words, count: Number, number: Number, other_count: Number, other: Number) -> Number:
    return count > other_count or (count == other_count and words.pair_Q[number] < words.pair_Q[other])


@kernel
def _push(words: Words, count: Number, number: Number) -> None:
    at = words.used[QUEUED]
    words.used[QUEUED] += 1
    while at > 0:
        above = (at - 1) // 2
        if not _comes_before(words, count, number, words.queued_H[above], words.queued_pair_H[above]):
            break
        words.queued_H[at], words.queued_pair_H[at] = words.queued_H[above], words.queued_pair_H[above]
        at = above
    words.queued_H[at], words.queued_pair_H[at] = count, number


@kernel
def _pop(words: Words) -> None:
    words.used[QUEUED] -= 1
    entries = words.used[QUEUED]
    count, number = words.queued_H[entries], words.queued_pair_H[entries]
    at = 0
    while 2 * at + 1 < entries:
        below = 2 * at + 1
        if below + 1 < entries and _comes_before(
            words,
            words.queued_H[below + 1],
            words.queued_pair_H[below + 1],
            words.queued_H[below],
            words.queued_pair_H[below],
        ):
            below += 1
        if not _comes_before(words, words.queued_H[below], words.queued_pair_H[below], count, number):
            break
        words.queued_H[at], words.queued_pair_H[at] = words.queued_H[below], words.queued_pair_H[below]
        at = below
    words.queued_H[at], words.queued_pair_H[at] = count, number
