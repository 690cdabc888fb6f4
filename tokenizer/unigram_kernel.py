"""SentencePiece Unigram over UTF-8, the best cut by dynamic programming; the compiled part of `compiled_sp_unigram`.

Scores are added in 64 bits and in the order in which the `tokenizers` library adds them, so that of equally good cuts
it is the same one.

Shapes: N documents, P pieces, L code points of a text.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from corpus.kernels.compile import kernel
from corpus.kernels.utf8 import Bytes, Float64, Int64, Number, UInt64, code_point, mixed
from tokenizer.bpe_kernel import NO_PAIR, NO_TOKEN
from tokenizer.compiled import TOO_LONG, Ids
from tokenizer.sp_bpe_kernel import PREFIX, PREFIX_UNLESS_SPACE, begins_with_space

LONGEST_TEXT = 1 << 22
"""Code points; a longer document would need much memory."""

_SPACE, _MARK = 0x20, 0x2581
_NO_NODE = -1
_BITS = np.uint64(32)


class Trie(NamedTuple):
    """The pieces, code point after code point."""

    keys: UInt64
    children: Ids
    """From a node and a code point to the node behind, as a hash table."""
    node_ids: Ids
    """The piece that ends at each node, or NO_TOKEN."""
    node_scores: Float64


@kernel
def put_pieces(points: Ids, offset_P1: Int64, piece_ids: Ids, scores: Float64, trie: Trie) -> Number:
    """Fill an empty trie; node 0 is where every piece begins.

    Args:
        points: code points of all pieces, one after the other.
        trie: keys all NO_PAIR, a power of two of them and at least twice as many as points; node_ids all NO_TOKEN.
    """
    last = np.uint64(len(trie.keys) - 1)
    nodes = 1
    for p in range(len(piece_ids)):
        node = 0
        for point in points[offset_P1[p] : offset_P1[p + 1]]:
            key = (np.uint64(node) << _BITS) | np.uint64(point)
            slot = mixed(key) & last
            while trie.keys[slot] != NO_PAIR and trie.keys[slot] != key:
                slot = (slot + np.uint64(1)) & last
            if trie.keys[slot] == NO_PAIR:
                trie.keys[slot] = key
                trie.children[slot] = nodes
                nodes += 1
            node = trie.children[slot]
        trie.node_ids[node] = piece_ids[p]
        trie.node_scores[node] = scores[p]
    return nodes


@kernel
def _child(node: Number, point: Number, trie: Trie) -> Number:
    last = np.uint64(len(trie.keys) - 1)
    key = (np.uint64(node) << _BITS) | np.uint64(point)
    slot = mixed(key) & last
    while trie.keys[slot] != NO_PAIR:
        if trie.keys[slot] == key:
            return trie.children[slot]
        slot = (slot + np.uint64(1)) & last
    return _NO_NODE


@kernel
def _best_cut(
    points: Ids, length: Number, trie: Trie, unknown: Number, score_L1: Float64, from_L1: Ids, id_L1: Ids
) -> None:
    """For each place of a text the last piece of the best cut of all before it: where it begins, and its id.

    Args:
        points: the text, `length` code points.
        unknown: score of a code point that is no piece.
    """
    for k in range(length + 1):
        from_L1[k] = _NO_NODE
    score_L1[0] = 0.0
    for start in range(length):
        till_here = score_L1[start]
        node, behind, single = 0, start, False
        while behind < length:
            node = _child(node, points[behind], trie)
            if node == _NO_NODE:
                break
            behind += 1
            if trie.node_ids[node] != NO_TOKEN:
                candidate = trie.node_scores[node] + till_here
                if from_L1[behind] == _NO_NODE or candidate > score_L1[behind]:
                    score_L1[behind], from_L1[behind], id_L1[behind] = candidate, start, trie.node_ids[node]
                single = single or behind == start + 1
        if not single:
            candidate = unknown + till_here
            if from_L1[start + 1] == _NO_NODE or candidate > score_L1[start + 1]:
                score_L1[start + 1], from_L1[start + 1], id_L1[start + 1] = candidate, start, NO_TOKEN


@kernel
def _read(utf8: Bytes, at: Number, end: Number, prefix: int, points: Ids, byte_at: Int64) -> Number:
    """Code points of a document as its normaliser leaves them, and where each stands; gives how many."""
    length = 0
    if at < end and (prefix == PREFIX or (prefix == PREFIX_UNLESS_SPACE and not begins_with_space(utf8, at))):
        points[0], byte_at[0] = _MARK, at
        length = 1
    while at < end:
        point, behind = code_point(utf8, at)
        points[length], byte_at[length] = _MARK if point == _SPACE else point, at
        length += 1
        at = behind
    byte_at[length] = end
    return length


@kernel
def _write(
    utf8: Bytes, length: Number, byte_at: Int64, from_L1: Ids, id_L1: Ids, byte_ids: Ids, out: Ids, written: Number
) -> Number:
    """Write the ids of the best cut, bytes for what is no piece; gives how many are written in all."""
    count: Number = 0
    end = length
    while end > 0:
        start = from_L1[end]
        count += 1 if id_L1[end] != NO_TOKEN else byte_at[end] - byte_at[start]
        end = start
    at, end = written + count, length
    while end > 0:
        start = from_L1[end]
        if id_L1[end] != NO_TOKEN:
            at -= 1
            out[at] = id_L1[end]
        else:
            for place in range(byte_at[end] - 1, byte_at[start] - 1, -1):
                at -= 1
                out[at] = byte_ids[utf8[place]]
        end = start
    return written + count


@kernel
def encode_documents(
    utf8: Bytes,
    offset_N1: Int64,
    prefix: int,
    trie: Trie,
    unknown: float,
    byte_ids: Ids,
    out: Ids,
    count_N: Int64,
) -> Number:
    """Ids of documents, one after the other.

    Args:
        offset_N1: where each document begins, and where the last ends.
        prefix: what stands before each, as `sp_bpe_kernel` numbers it.
        unknown: score of a code point that is no piece.
        byte_ids: of each single byte (256,).
        out: at least as long as there are bytes and documents.
        count_N: is given how many ids each document has, or TOO_LONG for one of which none are written.
    Returns:
        How many ids are written.
    """
    longest = 0
    for n in range(len(count_N)):
        longest = max(longest, offset_N1[n + 1] - offset_N1[n])
    longest = min(longest, LONGEST_TEXT) + 2
    points, from_L1, id_L1 = np.empty(longest, np.int32), np.empty(longest, np.int32), np.empty(longest, np.int32)
    byte_at, score_L1 = np.empty(longest, np.int64), np.empty(longest, np.float64)
    written = 0
    for n in range(len(count_N)):
        at, end = offset_N1[n], offset_N1[n + 1]
        if end - at > LONGEST_TEXT:
            count_N[n] = TOO_LONG
            continue
        length = _read(utf8, at, end, prefix, points, byte_at)
        _best_cut(points, length, trie, unknown, score_L1, from_L1, id_L1)
        behind = _write(utf8, length, byte_at, from_L1, id_L1, byte_ids, out, written)
        count_N[n] = behind - written
        written = behind
    return written
