"""What new tokens are learned from: runs of the base's tokens that no boundary cuts.

A boundary is where the base's pre-tokeniser cuts, which no merge can cross, or where MeCab sees a morpheme end,
which no new token shall cross; of the latter, soft boundaries are those between phrases. A base token that itself
straddles such a boundary separates runs too.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus.batch import utf8_of
from corpus.kernels.utf8 import Bytes, Int64
from tokenizer import unit_kernel
from tokenizer.byte_bpe import ByteBpe
from tokenizer.compile import compiled
from tokenizer.compiled import TOO_LONG, Ids
from tokenizer.compiled_bpe import CompiledBpe
from tokenizer.extendable import Extendable
from tokenizer.morphemes import mark_morphemes
from tokenizer.phrases import Between, Phrases
from tokenizer.sp_tokenizer import SpTokenizer

UNIT_BYTES = 4
"""Of each token in a unit."""

UNITS = pa.schema([("unit", pa.binary()), ("count", pa.int64())])

# So many different units, and tokens in them, are held at once: about 100 MB, and 100 MB more while they are sorted.
_MOST_UNITS, _MOST_TOKENS = 1 << 20, 1 << 23


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


def morpheme_cuts(text: str) -> set[int]:
    """Byte offsets at which a morpheme, a run of spaces, or a line begins."""
    marks = np.zeros(len(text.encode()) + 2, np.uint8)
    mark_morphemes(text, marks)
    return set(np.flatnonzero(marks).tolist())


class UnitCounter:
    """Counts the units of texts, in bounded memory.

    Args:
        spill: is given the counts so far, in the order of units, whenever they fill the memory.
        most: units that are held at once.
    """

    def __init__(
        self,
        base: Extendable,
        spill: Callable[[pa.RecordBatch], None],
        most: int = _MOST_UNITS,
        boundaries: Between = "morphemes",
    ) -> None:
        self._base, self._spill = base, spill
        self._phrases = None if boundaries == "morphemes" else Phrases(compounds=boundaries == "compounds")
        self._compiled = CompiledBpe.of(base) if isinstance(base, ByteBpe) else None
        # The layouts of SentencePiece that are compiled cut no text into words.
        self._wordless = compiled(base) if isinstance(base, SpTokenizer) else None
        self._lengths = _lengths(base)
        slots = np.full(2 << (most - 1).bit_length(), unit_kernel.EMPTY, np.int64)
        counts = (np.empty(most, np.int64), np.empty(most, np.int64))
        self._table = unit_kernel.UnitTable(slots, *counts, np.empty(_MOST_TOKENS, np.int32))
        self._units = 0

    def add(self, text: pa.LargeStringArray) -> None:
        """Count the units of documents, none of them null."""
        if not len(text):
            return
        for plain, marks, ids_T, count_N in self._encoded(text):
            begin_R, end_R = self._runs(plain, marks, ids_T, count_N)
            done = 0
            while True:
                done, self._units = unit_kernel.count_runs(ids_T, begin_R, end_R, done, self._units, self._table)
                if done == len(begin_R):
                    break
                self._spill(self.take())

    def take(self) -> pa.RecordBatch:
        """The counts since the last time, in the order of units, and none are left."""
        end_U, counts = self._table.end_U[: self._units], self._table.count_U[: self._units]
        ids = self._table.ids[: end_U[-1] if self._units else 0].astype(">i4")
        offsets = np.concatenate([[0], end_U * UNIT_BYTES]).astype(np.int32)
        units = pa.Array.from_buffers(pa.binary(), self._units, [None, pa.py_buffer(offsets), pa.py_buffer(ids)])
        taken = pa.RecordBatch.from_arrays([units, pa.array(counts)], schema=UNITS)
        taken = taken.take(pc.sort_indices(units))
        self._table.slots.fill(unit_kernel.EMPTY)
        self._units = 0
        return taken

    def _encoded(self, text: pa.LargeStringArray) -> Iterator[tuple[pa.LargeStringArray, Bytes, Ids, Int64]]:
        """Normalised documents, the marks in them, their ids, and how many ids each has."""
        others = text
        if self._compiled is not None:
            plain, known_N = self._compiled.normalised(text)
            known = plain.filter(pa.array(known_N))
            others = text.filter(pa.array(~known_N))
            if len(known):
                marks = self._marks(known)
                ids_T, count_N = self._compiled.encode_in_words(known, marks)
                yield known, marks, ids_T, np.maximum(count_N, 0)
                others = pa.concat_arrays([others, known.filter(pa.array(count_N == TOO_LONG))])
        elif self._wordless is not None:
            apart = self._wordless.with_added_tokens(text)
            others = text.take(pa.array(sorted(apart), pa.int64()))
            known = text.take(pa.array([n for n in range(len(text)) if n not in apart], pa.int64()))
            if len(known):
                plain = pa.array(map(self._base.normalised, known.to_pylist()), pa.large_string())
                yield plain, self._marks(plain), *self._wordless.encode(known)
        for one in others.to_pylist():
            plain = pa.array([self._base.normalised(one)], pa.large_string())
            marks = self._marks(plain)
            ids_T = self._in_words(one, marks)
            yield plain, marks, ids_T, np.array([len(ids_T)])

    def _marks(self, plain: pa.LargeStringArray) -> Bytes:
        marks = _morpheme_marks(plain)
        if self._phrases is not None:
            self._phrases.soften(plain, marks)
        return marks

    def _in_words(self, text: str, marks: Bytes) -> Ids:
        """Ids of one document by the library, and marks where words begin."""
        encoding = self._base.backend.encode(text, add_special_tokens=False)
        ids_T = np.array(encoding.ids, np.int32)
        word_T = np.array([-1 if word is None else word for word in encoding.word_ids], np.int64)
        begin_T = np.cumsum(self._lengths.bytes_V[ids_T]) - self._lengths.bytes_V[ids_T]
        first = begin_T[np.diff(word_T, prepend=-2) != 0]
        marks[first[first < len(marks)]] |= unit_kernel.WORD
        return ids_T

    def _runs(self, plain: pa.LargeStringArray, marks: Bytes, ids_T: Ids, count_N: Int64) -> tuple[Int64, Int64]:
        begin, end = np.empty(len(ids_T) // 2 + 1, np.int64), np.empty(len(ids_T) // 2 + 1, np.int64)
        offset_N1, _ = utf8_of(plain)
        found = unit_kernel.find_runs(ids_T, count_N, offset_N1 - offset_N1[0], marks, self._lengths, begin, end)
        return begin[:found], end[:found]


def _lengths(base: Extendable) -> unit_kernel.Lengths:
    bytes_V, beyond_V = np.zeros(base.size, np.int64), np.zeros(base.size, np.uint8)
    for number, content in base.bytes_of.items():
        bytes_V[number], beyond_V[number] = len(content), not content.isascii()
    return unit_kernel.Lengths(bytes_V, beyond_V)


def _morpheme_marks(plain: pa.LargeStringArray) -> Bytes:
    lengths_N = pc.binary_length(plain).to_numpy(zero_copy_only=False) + unit_kernel.AFTER
    marks = np.zeros(lengths_N.sum(), np.uint8)
    for one, own in zip(plain.to_pylist(), np.split(marks, np.cumsum(lengths_N)[:-1]), strict=True):
        mark_morphemes(one, own)
    return marks


def count_units(texts: Iterable[str], base: Extendable, boundaries: Between = "morphemes") -> Counter[bytes]:
    """How often each run of two tokens or more occurs, if it has anything but ASCII in it."""
    counts: Counter[bytes] = Counter()

    def add(batch: pa.RecordBatch) -> None:
        counts.update(dict(zip(*(column.to_pylist() for column in batch.columns), strict=True)))

    counter = UnitCounter(base, add, 1 << 14, boundaries)
    for text in texts:
        counter.add(pa.array([text], pa.large_string()))
    add(counter.take())
    return counts


def to_batch(counts: Counter[bytes]) -> pa.RecordBatch:
    """Counts as columns, in the order of the units."""
    ordered = sorted(counts.items())
    units = pa.array([unit for unit, _ in ordered], type=pa.binary())
    return pa.RecordBatch.from_arrays([units, pa.array([count for _, count in ordered], type=pa.int64())], schema=UNITS)
