"""Documents to sequences of fixed length: best fit, nothing lost, little padding.

A document of n tokens has n - 1 positions that predict something. A document longer than a sequence is cut; the
token after the cut is still predicted from the last position before it, so no prediction is lost.

Shapes: N documents, P pieces, S sequences.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from corpus.kernels.compile import kernel
from corpus.kernels.utf8 import Int64

PIECE = np.dtype([("document", np.int64), ("start", np.int32), ("length", np.int32)])
"""Positions [start, start + length) of a document; labels are the tokens one further."""

SPAN = np.dtype([("document", np.int64), ("start", np.int64), ("length", np.int64)])
"""The same before it is cut to the length of a sequence."""

Pieces = np.ndarray[Any, np.dtype[np.void]]


@kernel
def _best_fit(length_R: Int64, capacity: int, bin_R: Int64) -> int:
    """Put items, longest first, each into the fullest bin that still takes it; gives the number of bins.

    Bins wait in stacks by the room they have left; a binary tree over the rooms finds the smallest that is enough.
    """
    leaves = 1
    while leaves < capacity + 1:
        leaves *= 2
    waiting = np.zeros(2 * leaves, np.int64)
    top = np.full(capacity + 1, -1, np.int64)
    below = np.empty(length_R.size, np.int64)
    bins = 0
    for item in range(length_R.size):
        need = length_R[item]
        room = _smallest_room(waiting, leaves, need)
        if room < 0:
            chosen, room = bins, capacity
            bins += 1
        else:
            chosen = top[room]
            top[room] = below[chosen]
            _count(waiting, leaves, room, -1)
        bin_R[item] = chosen
        left = room - need
        if left > 0:
            below[chosen] = top[left]
            top[left] = chosen
            _count(waiting, leaves, left, 1)
    return bins


@kernel
def _count(waiting: Int64, leaves: int, room: int, change: int) -> None:
    node = leaves + room
    while node >= 1:
        waiting[node] += change
        node //= 2


@kernel
def _smallest_room(waiting: Int64, leaves: int, need: int) -> int:
    """The smallest room of at least `need` in which a bin waits, or -1."""
    node = leaves + need
    if waiting[node] > 0:
        return need
    while node > 1:
        if node % 2 == 0 and waiting[node + 1] > 0:
            node += 1
            while node < leaves:
                node = 2 * node if waiting[2 * node] > 0 else 2 * node + 1
            return node - leaves
        node //= 2
    return -1


def pack(tokens_N: Int64, seq_len: int) -> tuple[Int64, Pieces]:
    """Pack documents into sequences.

    Args:
        tokens_N: tokens of each document, its end token included.
    Returns:
        int64 (S + 1,): where each sequence's pieces begin; PIECE (P,): the pieces, sequence after sequence.
    """
    tokens_N = np.asarray(tokens_N, np.int64)
    whole_N = np.zeros(len(tokens_N), SPAN)
    whole_N["document"] = np.arange(len(tokens_N))
    whole_N["length"] = np.maximum(tokens_N - 1, 0)
    return pack_spans(whole_N, seq_len)


def pack_spans(spans_N: Pieces, seq_len: int) -> tuple[Int64, Pieces]:
    """Pack parts of documents, SPAN (N,), into sequences; gives what `pack` gives.

    Source: best fit decreasing as in Ding et al., Fewer Truncations Improve Language Modeling (arXiv:2404.10830).
    """
    pieces = _cut(spans_N, seq_len)
    full = pieces["length"] == seq_len
    rest = pieces[~full]
    # Longest first; of equal length in the order of the documents.
    rest = rest[np.argsort(-rest["length"].astype(np.int64), kind="stable")]
    bin_R = np.empty(len(rest), np.int64)
    bins = _best_fit(rest["length"].astype(np.int64), seq_len, bin_R)
    rest = rest[np.argsort(bin_R, kind="stable")]
    counts_S = np.concatenate([np.ones(int(full.sum()), np.int64), np.bincount(bin_R, minlength=bins)])
    return np.concatenate(([0], np.cumsum(counts_S))), np.concatenate([pieces[full], rest])


def joined(pieces_P: Pieces) -> Pieces:
    """The spans that pieces cover, SPAN (N,), in the order of the documents: pieces that touch become one."""
    ordered = pieces_P[np.lexsort((pieces_P["start"], pieces_P["document"]))]
    start, document = ordered["start"].astype(np.int64), ordered["document"]
    end = start + ordered["length"]
    first = np.ones(len(ordered), bool)
    first[1:] = (document[1:] != document[:-1]) | (start[1:] != end[:-1])
    at = np.flatnonzero(first)
    spans_N = np.empty(len(at), SPAN)
    spans_N["document"], spans_N["start"] = document[at], start[at]
    spans_N["length"] = end[np.append(at[1:], len(ordered)) - 1] - start[at] if len(at) else 0
    return spans_N


def _cut(spans_N: Pieces, seq_len: int) -> Pieces:
    length_N = spans_N["length"]
    count_N = -(-length_N // seq_len)
    pieces = np.empty(int(count_N.sum()), PIECE)
    pieces["document"] = np.repeat(spans_N["document"], count_N)
    at = (np.arange(len(pieces)) - np.repeat(np.cumsum(count_N) - count_N, count_N)) * seq_len
    pieces["start"] = np.repeat(spans_N["start"], count_N) + at
    pieces["length"] = np.minimum(seq_len, np.repeat(length_N, count_N) - at)
    return pieces
