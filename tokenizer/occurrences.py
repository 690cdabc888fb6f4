"""How the base spells each new token where it really stands: what the method align averages over."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import pyarrow as pa

from tokenizer.extendable import Extension, Merge
from tokenizer.units import unpack_unit

Piece = tuple[int, tuple[int, ...]]
"""A token of the extended tokenizer, and the base's tokens that it stands for."""


def occurrences(
    extension: Extension, spellings: Sequence[tuple[int, ...]], unit_runs: Iterable[pa.RecordBatch]
) -> list[Counter[tuple[int, ...]]]:
    """For each new token how often each spelling of it is replaced by it in the counted units.

    A token that always becomes part of a longer one has none.

    Args:
        spellings: for each new token the old ones that it is built from; one that no merge builds, as a character of
            a SentencePiece base, is exactly these.
    """
    merged = {merge.result for merge in extension.merges}
    numbered = enumerate(spellings, start=extension.first)
    whole = {spelling: number for number, spelling in numbered if number not in merged}
    lengths = sorted({len(spelling) for spelling in whole}, reverse=True)
    # Units may already hold tokens of terms.
    spelt = dict(enumerate(spellings, start=extension.first))
    rank = {(merge.left, merge.right): (number, merge) for number, merge in enumerate(extension.merges)}
    found: list[Counter[tuple[int, ...]]] = [Counter() for _ in extension.tokens]
    for batch in unit_runs:
        for unit, count in zip(batch.column("unit").to_pylist(), batch.column("count").to_pylist(), strict=True):
            for token, pieces in _joined(_whole(unpack_unit(unit), whole, lengths, spelt), rank):
                if token >= extension.first:
                    found[token - extension.first][pieces] += count
    return found


def _whole(
    unit: tuple[int, ...],
    whole: Mapping[tuple[int, ...], int],
    lengths: Sequence[int],
    spelt: Mapping[int, tuple[int, ...]],
) -> list[Piece]:
    """The unit with what no merge builds put together."""
    pieces: list[Piece] = []
    at = 0
    while at < len(unit):
        found = next((unit[at : at + length] for length in lengths if unit[at : at + length] in whole), None)
        pieces.append((unit[at], spelt.get(unit[at], (unit[at],))) if found is None else (whole[found], found))
        at += 1 if found is None else len(found)
    return pieces


def _joined(pieces: list[Piece], rank: Mapping[tuple[int, int], tuple[int, Merge]]) -> list[Piece]:
    """The unit after all merges that apply, the earliest first and from the left, as BPE encodes."""
    while True:
        pairs = [(left[0], right[0]) for left, right in itertools.pairwise(pieces)]
        known = [(rank[pair][0], at) for at, pair in enumerate(pairs) if pair in rank]
        if not known:
            return pieces
        _, at = min(known)
        _, merge = rank[pairs[at]]
        pieces[at : at + 2] = [(merge.result, pieces[at][1] + pieces[at + 1][1])]
