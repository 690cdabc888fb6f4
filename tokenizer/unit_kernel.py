"""Runs of tokens between boundaries, found and counted in compiled code.

Shapes: N documents, T tokens of all of them, V ids of the vocabulary, R runs, U counted units.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from corpus.kernels.compile import kernel
from corpus.kernels.utf8 import Bytes, Int64, Number, mixed
from tokenizer.compiled import Ids
from tokenizer.word_kernel import word_end

MORPHEME, WORD = 1, 2
"""Bits of a mark: what begins at a byte. No base token crosses the second."""

AFTER = 2
"""Marks that each document has more than bytes."""

EMPTY = -1
"""In an empty slot of a table of units."""

_FNV_PRIME = np.uint64(0x100000001B3)


class Lengths(NamedTuple):
    """What is known of each id."""

    bytes_V: Int64
    beyond_ascii_V: Bytes


class UnitTable(NamedTuple):
    """Units and how often each was met."""

    slots: Int64
    """A hash table of their numbers; a power of two long, and at least twice as long as there can be units."""
    end_U: Int64
    """Where each ends in `ids`; it begins where the one before it ends."""
    count_U: Int64
    ids: Ids


@kernel
def mark_words(utf8: Bytes, offset_N1: Int64, pattern: int, classes: Bytes, count_N: Int64, marks: Bytes) -> None:
    """Mark where words begin, in documents that have been encoded (count not negative)."""
    for n in range(len(count_N)):
        at, end = offset_N1[n], offset_N1[n + 1]
        while count_N[n] >= 0 and at < end:
            marks[at + AFTER * n] |= WORD
            at = word_end(pattern, utf8, at, end, classes)


@kernel
def find_runs(
    ids_T: Ids, count_N: Int64, offset_N1: Int64, marks: Bytes, lengths: Lengths, begin: Int64, end: Int64
) -> Number:
    """Where the runs of two tokens or more begin and end that have a byte beyond ASCII.

    A token that begins at a mark begins a run; one with a morpheme's beginning inside is in none.

    Args:
        marks: of each byte, and two more after each document.
        begin: is given the first token of each; at least half as long as there are tokens.
        end: is given the token after each.
    Returns:
        How many runs there are.
    """
    runs, first = 0, 0
    for n in range(len(count_N)):
        at, last = offset_N1[n] + AFTER * n, offset_N1[n + 1] + AFTER * n
        run, wide = first, False
        for t in range(first, first + count_N[n]):
            after = at + lengths.bytes_V[ids_T[t]]
            straddles = False
            for k in range(at + 1, min(after, last)):
                straddles |= (marks[k] & MORPHEME) != 0
            if straddles or (at < last and marks[at] != 0):
                if wide and t - run > 1:
                    begin[runs], end[runs] = run, t
                    runs += 1
                run, wide = t, False
            if straddles:
                run = t + 1
            else:
                wide |= lengths.beyond_ascii_V[ids_T[t]] != 0
            at = after
        first += count_N[n]
        if wide and first - run > 1:
            begin[runs], end[runs] = run, first
            runs += 1
    return runs


@kernel
def count_runs(
    ids_T: Ids, begin_R: Int64, end_R: Int64, done: int, units: int, table: UnitTable
) -> tuple[Number, Number]:
    """Count runs, as long as the table has room.

    Args:
        done: runs that have been counted before.
        units: how many there are in the table.
    Returns:
        How many runs are counted now, and how many units there are.
    """
    last = np.uint64(len(table.slots) - 1)
    for r in range(done, len(begin_R)):
        slot = _hash(ids_T, begin_R[r], end_R[r]) & last
        while table.slots[slot] != EMPTY and not _same(ids_T, begin_R[r], end_R[r], table.slots[slot], table):
            slot = (slot + np.uint64(1)) & last
        if table.slots[slot] == EMPTY:
            first = table.end_U[units - 1] if units else 0
            if units == len(table.count_U) or first + end_R[r] - begin_R[r] > len(table.ids):
                return r, units
            for t in range(begin_R[r], end_R[r]):
                table.ids[first + t - begin_R[r]] = ids_T[t]
            table.end_U[units] = first + end_R[r] - begin_R[r]
            table.count_U[units] = 0
            table.slots[slot] = units
            units += 1
        table.count_U[table.slots[slot]] += 1
    return len(begin_R), units


@kernel
def _hash(ids_T: Ids, begin: Number, end: Number) -> Number:
    value = np.uint64(end - begin)
    for number in ids_T[begin:end]:
        value = (value ^ np.uint64(number)) * _FNV_PRIME
    return mixed(value)


@kernel
def _same(ids_T: Ids, begin: Number, end: Number, unit: Number, table: UnitTable) -> Number:
    first = table.end_U[unit - 1] if unit else 0
    if table.end_U[unit] - first != end - begin:
        return False
    same = 0
    while same < end - begin and table.ids[first + same] == ids_T[begin + same]:
        same += 1
    return same == end - begin
