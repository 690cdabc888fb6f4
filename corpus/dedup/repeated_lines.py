"""Lines and paragraphs that many documents of a source share: letterheads, form footers, signatures.

A paragraph of several lines counts as a whole too: its lines may be too short to count, or stand elsewhere.

Counted after deduplication, or the lines of a document with many copies would all look like letterhead.

Shapes: L lines of all documents of a batch together, R repeated lines.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from configs.schema.dedup import RepeatedLines
from corpus.batch import Batch, utf8_of, with_column, with_rows
from corpus.kernels.lines import distinct_lines, hash_lines, hash_paragraphs
from corpus.kernels.marks import Flags
from corpus.kernels.runs import begins_of_runs
from corpus.kernels.utf8 import Int64, UInt64
from corpus.normalise.characters import tidy_space
from corpus.tally import Tally

LineCounts = tuple[UInt64, Int64]
"""Hashes of lines and paragraphs, ascending, and in how many documents each stands."""


def count_lines(batches: Iterable[Batch], settings: RepeatedLines) -> LineCounts:
    """In how many documents each line or paragraph stands; a document counts it once."""
    found: list[UInt64] = []
    for batch in batches:
        first_N1, hash_L, characters_L = hash_lines(*utf8_of(batch.column("text")))
        found.append(distinct_lines(first_N1, hash_L, characters_L >= settings.min_characters))
        paragraph_L, total_L = hash_paragraphs(first_N1, hash_L, characters_L)
        found.append(distinct_lines(first_N1, paragraph_L, total_L >= settings.min_characters))
    return np.unique(np.concatenate(found) if found else np.empty(0, np.uint64), return_counts=True)


def merge_counts(parts: Iterable[LineCounts]) -> LineCounts:
    """The counts of all parts together."""
    hashes, counts = (np.concatenate(one) for one in zip(*parts, strict=True))
    order = np.argsort(hashes)
    hashes = hashes[order]
    begins = begins_of_runs(hashes)
    return hashes[begins], np.add.reduceat(counts[order], begins)


def repeated(counts: LineCounts, settings: RepeatedLines) -> UInt64:
    """Hashes of the lines and paragraphs that go, ascending."""
    hashes, documents = counts
    return hashes[documents >= settings.min_documents]


def remove_lines(batch: Batch, repeated_R: UInt64, tally: Tally) -> Batch:
    """The documents without the repeated lines and paragraphs; counts documents and lines."""
    if repeated_R.size == 0 or batch.num_rows == 0:
        return batch
    first_N1, hash_L, characters_L = hash_lines(*utf8_of(batch.column("text")))
    paragraph_L, total_L = hash_paragraphs(first_N1, hash_L, characters_L)
    goes_L = (_among(hash_L, repeated_R) & (characters_L > 0)) | (_among(paragraph_L, repeated_R) & (total_L > 0))
    touched = np.flatnonzero(np.add.reduceat(goes_L, first_N1[:-1])).tolist()
    column, texts = batch.column("text"), []
    for row, text in zip(touched, column.take(pa.array(touched, pa.int64())).to_pylist(), strict=True):
        stays_L = ~goes_L[first_N1[row] : first_N1[row + 1]]
        texts.append(tidy_space("\n".join(itertools.compress(text.split("\n"), stays_L.tolist()))))
    tally.add("lines_removed", int(goes_L.sum()))
    tally.add("documents_with_lines_removed", len(touched))
    return with_column(batch, "text", with_rows(column, touched, texts))


def _among(hash_L: UInt64, repeated_R: UInt64) -> Flags:
    """Which hashes are among some in ascending order."""
    at_L = np.searchsorted(repeated_R, hash_L)
    found: Flags = repeated_R[np.minimum(at_L, repeated_R.size - 1)] == hash_L
    return found


def empty_rows(batch: Batch) -> pa.BooleanArray:
    """Which documents have no text left."""
    text = batch.column("text")
    first = pc.utf8_slice_codeunits(text, 0, 1).to_pylist()
    empty = [not one or (one.isspace() and text[row].as_py().isspace()) for row, one in enumerate(first)]
    return pa.array(empty, pa.bool_())
