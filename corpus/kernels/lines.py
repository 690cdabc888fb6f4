"""Hashes and widths of the lines of documents.

Shapes: N documents, L lines of all of them together.
"""

from __future__ import annotations

import numpy as np

from corpus.kernels.compile import kernel
from corpus.kernels.marks import Flags
from corpus.kernels.utf8 import Bytes, Float64, Int64, Number, UInt64, code_point, mixed


@kernel
def _count_newlines(offsets_N1: Int64, utf8: Bytes, lines_N: Int64) -> None:
    for n in range(offsets_N1.size - 1):
        lines = 1
        for at in range(offsets_N1[n], offsets_N1[n + 1]):
            if utf8[at] == 10:
                lines += 1
        lines_N[n] = lines


@kernel
def _hash_lines(offsets_N1: Int64, utf8: Bytes, hash_L: UInt64, characters_L: Int64) -> None:
    line = 0
    for n in range(offsets_N1.size - 1):
        at, end = offsets_N1[n], offsets_N1[n + 1]
        state, characters = np.uint64(0), 0
        while at < end:
            point, at = code_point(utf8, at)
            if point == 10:
                hash_L[line], characters_L[line] = mixed(state), characters
                line += 1
                state, characters = np.uint64(0), 0
            elif point not in (32, 9, 0x3000):
                # Spaces do not count: the same line is indented here and not there.
                state = (state ^ np.uint64(point)) * np.uint64(0x9E3779B97F4A7C15)
                state ^= state >> np.uint64(29)
                characters += 1
        hash_L[line], characters_L[line] = mixed(state), characters
        line += 1


def _first_lines(offsets_N1: Int64, utf8: Bytes) -> Int64:
    lines_N = np.zeros(offsets_N1.size - 1, np.int64)
    _count_newlines(offsets_N1, utf8, lines_N)
    return np.concatenate((np.zeros(1, np.int64), np.cumsum(lines_N)))


def hash_lines(offsets_N1: Int64, utf8: Bytes) -> tuple[Int64, UInt64, Int64]:
    """Every line's hash and length without spaces, document after document.

    Returns:
        int64 (N + 1,): where each document's lines begin; uint64 (L,): hashes; int64 (L,): characters.
    """
    first_N1 = _first_lines(offsets_N1, utf8)
    hash_L = np.zeros(int(first_N1[-1]), np.uint64)
    characters_L = np.zeros(int(first_N1[-1]), np.int64)
    _hash_lines(offsets_N1, utf8, hash_L, characters_L)
    return first_N1, hash_L, characters_L


@kernel
def _hash_paragraphs(first_N1: Int64, hash_L: UInt64, characters_L: Int64, paragraph_L: UInt64, total_L: Int64) -> None:
    for n in range(first_N1.size - 1):
        begin, end = first_N1[n], first_N1[n + 1]
        while begin < end:
            state, total, line = np.uint64(0), 0, begin
            while line < end and characters_L[line] > 0:
                state = mixed((state ^ hash_L[line]) + np.uint64(0x9E3779B97F4A7C15))
                total += characters_L[line]
                line += 1
            if line - begin > 1:
                paragraph_L[begin:line], total_L[begin:line] = state, total
            begin = line + 1


def hash_paragraphs(first_N1: Int64, hash_L: UInt64, characters_L: Int64) -> tuple[UInt64, Int64]:
    """For every line the hash and the length, without spaces, of the paragraph it stands in.

    A paragraph has at least two lines, and ends at an empty one; a line that is none's has length 0.

    Returns:
        uint64 (L,): hashes; int64 (L,): characters.
    """
    paragraph_L, total_L = np.zeros(hash_L.size, np.uint64), np.zeros(hash_L.size, np.int64)
    _hash_paragraphs(first_N1, hash_L, characters_L, paragraph_L, total_L)
    return paragraph_L, total_L


@kernel
def _distinct(first_N1: Int64, hash_L: UInt64, counts_L: Flags, out_L: UInt64) -> Number:
    written = 0
    for n in range(first_N1.size - 1):
        begin = written
        for line in range(first_N1[n], first_N1[n + 1]):
            if counts_L[line]:
                out_L[written] = hash_L[line]
                written += 1
        out_L[begin:written].sort()
        end, written = written, begin
        for at in range(begin, end):
            if at == begin or out_L[at] != out_L[written - 1]:
                out_L[written] = out_L[at]
                written += 1
    return written


def distinct_lines(first_N1: Int64, hash_L: UInt64, counts_L: Flags) -> UInt64:
    """Hashes of the lines that count, each once per document.

    Args:
        counts_L: which lines count, bool.
    """
    out_L = np.empty(hash_L.size, np.uint64)
    return out_L[: _distinct(first_N1, hash_L, counts_L, out_L)]


@kernel
def _line_columns(offsets_N1: Int64, utf8: Bytes, columns_L: Int64) -> None:
    line = 0
    for n in range(offsets_N1.size - 1):
        at, end = offsets_N1[n], offsets_N1[n + 1]
        columns = 0
        while at < end:
            point, at = code_point(utf8, at)
            if point == 10:
                columns_L[line] = columns
                line += 1
                columns = 0
            else:
                # Kana, kanji, Hangul and full-width forms.
                columns += 2 if 0x1100 <= point <= 0xFF60 or 0xFFE0 <= point <= 0xFFFF else 1
        columns_L[line] = columns
        line += 1


def line_columns(offsets_N1: Int64, utf8: Bytes) -> tuple[Int64, Int64]:
    """Every line's width in character cells, document after document; kana and kanji take two.

    Returns:
        int64 (N + 1,): where each document's lines begin; int64 (L,): columns.
    """
    first_N1 = _first_lines(offsets_N1, utf8)
    columns_L = np.zeros(int(first_N1[-1]), np.int64)
    _line_columns(offsets_N1, utf8, columns_L)
    return first_N1, columns_L


@kernel
def _repeated_share(first_N1: Int64, hash_L: UInt64, characters_L: Int64, share_N: Float64) -> None:
    for n in range(first_N1.size - 1):
        start, end = first_N1[n], first_N1[n + 1]
        order = np.argsort(hash_L[start:end])
        total, repeated = 0, 0
        for k in range(end - start):
            characters = characters_L[start + order[k]]
            total += characters
            if k > 0 and hash_L[start + order[k]] == hash_L[start + order[k - 1]]:
                repeated += characters
        share_N[n] = repeated / total if total > 0 else 0.0


def repeated_line_share(first_N1: Int64, hash_L: UInt64, characters_L: Int64) -> Float64:
    """Share of a document's characters that stand in lines it already had.

    Returns:
        float64, (N,), 0 to 1.
    """
    share_N = np.zeros(first_N1.size - 1, np.float64)
    _repeated_share(first_N1, hash_L, characters_L, share_N)
    return share_N
