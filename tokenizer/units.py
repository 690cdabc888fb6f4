"""What new tokens are learned from: runs of the base's tokens that no boundary cuts.

A boundary is where the base's pre-tokeniser cuts, which no merge can cross, or where MeCab sees a morpheme end,
which no new token shall cross. A base token that itself straddles a morpheme boundary separates runs too.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

import pyarrow as pa

from tokenizer.extendable import Extendable

UNIT_BYTES = 4
"""Of each token in a unit."""

UNITS = pa.schema([("unit", pa.binary()), ("count", pa.int64())])

# MeCab's time and memory grow with the length of what it gets at once, and very long input has crashed it; a line
# is cut here, which costs at most one wrong boundary in so many characters.
_LONGEST_SENTENCE = 1000


def pack_unit(ids: Iterable[int]) -> bytes:
    """Token ids as the bytes a unit is counted under; their order as bytes is the order as numbers.

    >>> unpack_unit(pack_unit([5, 49152]))
    (5, 49152)
    """
    numbers = list(ids)
    return struct.pack(f">{len(numbers)}I", *numbers)


def unpack_unit(unit: bytes) -> tuple[int, ...]:
    """The token ids of a unit."""
    return struct.unpack(f">{len(unit) // UNIT_BYTES}I", unit)


@lru_cache(maxsize=1)
def _tagger() -> Any:
    from fugashi import Tagger

    return Tagger()


def morpheme_cuts(text: str) -> set[int]:
    """Byte offsets at which a morpheme, a run of spaces, or a line begins.

    Source: MeCab with UniDic (unidic-lite).
    """
    cuts: set[int] = set()
    offset = 0
    for line in text.split("\n"):
        for start in range(0, len(line), _LONGEST_SENTENCE):
            part = line[start : start + _LONGEST_SENTENCE]
            at = offset
            for node in _tagger()(part):
                cuts.add(at)
                at += len(node.white_space.encode())
                cuts.add(at)
                at += len(node.surface.encode())
            offset += len(part.encode())
            cuts.add(offset)
        offset += 1
        cuts.add(offset)
    return cuts


def runs(text: str, base: Extendable) -> Iterator[list[int]]:
    """The runs of base tokens of a text, shortest possible, in order; runs of one token cannot be merged."""
    cuts = morpheme_cuts(base.normalised(text))
    encoding = base.backend.encode(text, add_special_tokens=False)
    run: list[int] = []
    start, word_before = 0, None
    for number, word in zip(encoding.ids, encoding.word_ids, strict=True):
        end = start + len(base.bytes_of[number])
        if start in cuts or word != word_before:
            yield run
            run = []
        if any(cut in cuts for cut in range(start + 1, end)):
            yield run
            run = []
        else:
            run.append(number)
        start, word_before = end, word
    yield run


def count_units(texts: Iterable[str], base: Extendable) -> Counter[bytes]:
    """How often each run of two tokens or more occurs, if it has anything but ASCII in it."""
    counts: Counter[bytes] = Counter()
    for text in texts:
        for run in runs(text, base):
            if len(run) > 1 and any(byte >= 0x80 for number in run for byte in base.bytes_of[number]):
                counts[pack_unit(run)] += 1
    return counts


def to_batch(counts: Counter[bytes]) -> pa.RecordBatch:
    """Counts as columns, in the order of the units."""
    ordered = sorted(counts.items())
    units = pa.array([unit for unit, _ in ordered], type=pa.binary())
    return pa.RecordBatch.from_arrays([units, pa.array([count for _, count in ordered], type=pa.int64())], schema=UNITS)
