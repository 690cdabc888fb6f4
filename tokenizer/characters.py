"""Characters that a SentencePiece base spells by their bytes: before they can be part of a token, each must be one.

A `tokenizer.json` takes unknown characters apart before it merges, SentencePiece after it did, so that the two agree
only where every character of a piece is a piece itself.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

import pyarrow as pa

from tokenizer.extendable import Extendable, Extension, Merge
from tokenizer.units import UNITS, pack_unit, unpack_unit


def spelt_characters(base: Extendable, batches: Iterable[pa.RecordBatch], min_count: int) -> Extension:
    """The extension of a base by the characters beyond ASCII that it spells by bytes, most frequent first."""
    counts: Counter[bytes] = Counter()
    for batch in batches if base.byte_of else ():
        for unit, count in zip(batch.column("unit").to_pylist(), batch.column("count").to_pylist(), strict=True):
            for at, end in _spelt(unpack_unit(unit), base.byte_of):
                counts[_content(unpack_unit(unit)[at:end], base.byte_of)] += count
    frequent = [(-count, content) for content, count in counts.items() if count >= min_count]
    frequent = [(count, content) for count, content in sorted(frequent) if base.may_be_token(content)]
    return Extension(base.size, tuple(content for _, content in frequent), (), tuple(-count for count, _ in frequent))


def with_characters(
    base: Extendable, characters: Extension, batches: Iterable[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    """The same units in the ids of the base that has the characters."""
    number_of = {content: number for number, content in enumerate(characters.tokens, start=characters.first)}
    for batch in batches:
        if not number_of:
            yield batch
            continue
        units = [_respelt(unpack_unit(unit), base.byte_of, number_of) for unit in batch.column("unit").to_pylist()]
        yield pa.RecordBatch.from_arrays([pa.array(units, pa.binary()), batch.column("count")], schema=UNITS)


def _respelt(unit: tuple[int, ...], byte_of: Mapping[int, int], number_of: Mapping[bytes, int]) -> bytes:
    ids: list[int] = []
    behind = 0
    for at, end in _spelt(unit, byte_of):
        number = number_of.get(_content(unit[at:end], byte_of))
        if number is not None:
            ids += [*unit[behind:at], number]
            behind = end
    return pack_unit([*ids, *unit[behind:]])


def _content(ids: tuple[int, ...], byte_of: Mapping[int, int]) -> bytes:
    return bytes(byte_of[number] for number in ids)


def _spelt(unit: tuple[int, ...], byte_of: Mapping[int, int]) -> Iterator[tuple[int, int]]:
    """Where the bytes of each character beyond ASCII stand."""
    at = 0
    while at < len(unit):
        byte = byte_of.get(unit[at], 0)
        length = 4 if byte >= 0xF0 else 3 if byte >= 0xE0 else 2 if byte >= 0xC0 else 1
        if length > 1 and at + length <= len(unit) and all(number in byte_of for number in unit[at : at + length]):
            yield at, at + length
        at += length


def in_order_of_gain(characters: Extension, words: Extension, budget: int) -> Extension:
    """The tokens of both, those first that save most tokens; a character stands before all that it is part of.

    It saves as many tokens as it has bytes but one each time, and a joined pair one.

    Args:
        words: learned on the base that has the characters.
    """
    saved = [count * (len(content) - 1) for content, count in zip(characters.tokens, characters.counts, strict=True)]
    by_gain = sorted(range(len(saved)), key=lambda place: -saved[place])
    ordered = list(
        heapq.merge(
            ((-saved[place], 0, place) for place in by_gain),
            ((-count, 1, place) for place, count in enumerate(words.counts)),
        )
    )[:budget]
    number_of = {
        (characters if which == 0 else words).first + place: number
        for number, (_, which, place) in enumerate(ordered, start=characters.first)
    }
    both = (characters, words)
    return Extension(
        characters.first,
        tuple(both[which].tokens[place] for _, which, place in ordered),
        tuple(
            Merge(*(number_of.get(part, part) for part in (merge.left, merge.right, merge.result)))
            for merge in words.merges
            if merge.result in number_of
        ),
        tuple(both[which].counts[place] for _, which, place in ordered),
    )
