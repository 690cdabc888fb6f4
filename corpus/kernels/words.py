"""Where any of some words stand: one pass over the bytes, however many words there are.

Shapes: N documents, S states of the automaton, C classes of bytes, H hits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from corpus.kernels.compile import kernel
from corpus.kernels.utf8 import Bytes, Int64, Number

# Words are met at about one of a thousand bytes; where there are more, the pass is made again with more room.
BYTES_PER_HIT = 64

Int32 = np.ndarray[Any, np.dtype[np.int32]]


@dataclass(frozen=True)
class Automaton:
    """All words at once, as a table (Aho and Corasick 1975); ASCII letters match in both cases."""

    class_of: Bytes
    next_SC: Int32
    """Where a state goes by a class: the place of the row of the next state in the flat table."""
    bits_S: Int64
    """What a state that ends words says; those states come last."""
    first_end: int
    """Place of the row of the first of them."""


def automaton(words: Mapping[str, int]) -> Automaton:
    """The automaton of some words, each with the bits that its end sets."""
    spelled: dict[bytes, int] = {}
    for word, bit in words.items():
        spelled[word.lower().encode()] = spelled.get(word.lower().encode(), 0) | bit
    class_of = _classes(spelled)
    children, bits = _trie(spelled, class_of)
    next_SC = np.zeros((len(children), int(class_of.max()) + 1), np.int32)
    for symbol, state in children[0].items():
        next_SC[0, symbol] = state
    # Breadth first: where a state goes on is known before those below it fall back to it.
    queue = [(state, 0) for state in children[0].values()]
    for state, fallback in queue:
        bits[state] |= bits[fallback]
        next_SC[state] = next_SC[fallback]
        for symbol, child in children[state].items():
            queue.append((child, int(next_SC[fallback, symbol])))
            next_SC[state, symbol] = child
    return _in_order(class_of, next_SC, np.array(bits, np.int64))


def _classes(spelled: Mapping[bytes, int]) -> Bytes:
    class_of = np.zeros(256, np.uint8)
    for number, byte in enumerate(sorted({byte for word in spelled for byte in word}), start=1):
        class_of[byte] = number
    class_of[ord("A") : ord("Z") + 1] = class_of[ord("a") : ord("z") + 1]
    return class_of


def _trie(spelled: Mapping[bytes, int], class_of: Bytes) -> tuple[list[dict[int, int]], list[int]]:
    children: list[dict[int, int]] = [{}]
    bits = [0]
    for word, bit in spelled.items():
        state = 0
        for byte in word:
            state = children[state].setdefault(int(class_of[byte]), len(children))
            if state == len(children):
                children.append({})
                bits.append(0)
        bits[state] |= bit
    return children, bits


def _in_order(class_of: Bytes, next_SC: Int32, bits_S: Int64) -> Automaton:
    # A state that ends a word is told by its number alone: one load less for every byte.
    order = np.argsort(bits_S != 0, kind="stable")
    place = np.empty_like(order)
    place[order] = np.arange(order.size) * next_SC.shape[1]
    first_end = int(np.count_nonzero(bits_S == 0)) * next_SC.shape[1]
    return Automaton(class_of, place[next_SC[order]].astype(np.int32).ravel(), bits_S[order], first_end)


@kernel
def _scan(
    offsets_N1: Int64, utf8: Bytes, class_of: Bytes, next_SC: Int32, bits_S: Int64, first_end: Number, hits_H4: Int64
) -> Number:
    count, classes = 0, next_SC.size // bits_S.size
    for n in range(offsets_N1.size - 1):
        state, character = 0, -1
        for at in range(offsets_N1[n], offsets_N1[n + 1]):
            byte = utf8[at]
            character += byte & 0xC0 != 0x80
            state = next_SC[state + class_of[byte]]
            if state >= first_end:
                if count < hits_H4.shape[0]:
                    hits_H4[count, 0], hits_H4[count, 1], hits_H4[count, 2] = n, character, character + 1
                    hits_H4[count, 3] = bits_S[state // classes]
                count += 1
    return count


def find_words(offsets_N1: Int64, utf8: Bytes, words: Automaton) -> Int64:
    """Every word, in the order of their ends.

    Returns:
        int64, (H, 4): document, the word's last character, the one after it, bits.
    """
    room = int(offsets_N1[-1] - offsets_N1[0]) // BYTES_PER_HIT + 1024
    while True:
        hits_H4 = np.empty((room, 4), np.int64)
        arguments = (words.class_of, words.next_SC, words.bits_S, words.first_end)
        count = int(_scan(offsets_N1, utf8, *arguments, hits_H4))
        if count <= room:
            return hits_H4[:count]
        room = count
