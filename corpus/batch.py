"""The unit of work: an Arrow RecordBatch of documents."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

Batch: TypeAlias = pa.RecordBatch
"""Columns as in SCHEMA; steps take one and give one."""

SCHEMA = pa.schema(
    [
        ("id", pa.string()),  # 24 hex digits of the SHA-256 of source, path and position: the same in every run
        ("text", pa.large_string()),
        ("source", pa.string()),
        ("path", pa.string()),
        ("position", pa.int64()),  # where in the file: byte offset, record or row number; 0 for a whole file
        ("url", pa.string()),
        ("license", pa.string()),
        ("language", pa.string()),
        ("encoding", pa.string()),
        ("meta", pa.string()),  # JSON of the fields named in meta_keys
        ("access", pa.string()),  # what the source declares of itself: who may see it, and until when it may be kept
        ("retention", pa.string()),
    ]
)

BATCH_DOCUMENTS = 1024
BATCH_BYTES = 8_000_000


def document_id(source: str, path: str, position: int) -> str:
    """A document's name for ever: depends on where it stands and on nothing else.

    >>> document_id("manuals", "pump.txt", 0)
    '194ed90de3a4d9434a0a2cb7'
    """
    return hashlib.sha256(f"{source}\0{path}\0{position}".encode()).hexdigest()[:24]


class BatchBuilder:
    """Collects documents of one file until there are enough for a batch."""

    def __init__(
        self, source: str, path: str, license_: str, language: str, *, access: str = "", retention: str = ""
    ) -> None:
        self._source, self._path, self._license, self._language = source, path, license_, language
        self._access, self._retention = access, retention
        self._rows: list[tuple[str, int, str | None, str, str | None]] = []
        self._bytes = 0

    @property
    def full(self) -> bool:
        """Whether a batch should be taken now."""
        return len(self._rows) >= BATCH_DOCUMENTS or self._bytes >= BATCH_BYTES

    def add(self, text: str, position: int, encoding: str, *, url: str | None = None, meta: str | None = None) -> None:
        """Add a document that stands at `position` of the file."""
        self._rows.append((text, position, url, encoding, meta))
        self._bytes += len(text) * 3

    def take(self) -> Batch | None:
        """The documents since the last call as a batch, if there are any."""
        if not self._rows:
            return None
        text, position, url, encoding, meta = zip(*self._rows, strict=True)
        self._rows, self._bytes = [], 0
        return self.batch_of(pa.array(text, pa.large_string()), position, encoding, url=url, meta=meta)

    def batch_of(
        self, texts: pa.Array, position: Sequence[int], encoding: Sequence[str], *, url: Any = None, meta: Any = None
    ) -> Batch:
        """Documents whose texts are a column already, as a batch of their own.

        Args:
            texts: large strings, none null.
            url: one of each document, as a column or a sequence; none where it is left out. So is meta.
        """
        count = len(texts)
        columns: list[Any] = [
            [document_id(self._source, self._path, where) for where in position],
            texts,
            [self._source] * count,
            [self._path] * count,
            position,
            [None] * count if url is None else url,
            [self._license] * count,
            [self._language] * count,
            encoding,
            [None] * count if meta is None else meta,
            [self._access] * count,
            [self._retention] * count,
        ]
        arrays = [
            column if isinstance(column, pa.Array) else pa.array(column, type=field.type)
            for column, field in zip(columns, SCHEMA, strict=True)
        ]
        batch: Batch = pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)
        return batch


def with_column(batch: Batch, name: str, column: pa.Array) -> Batch:
    """The same documents with one column replaced."""
    changed: Batch = batch.set_column(batch.schema.get_field_index(name), batch.schema.field(name), column)
    return changed


def with_rows(column: pa.Array, rows: Sequence[int], texts: Sequence[str]) -> pa.Array:
    """A column of texts with some of its rows replaced; the others are copied and never looked at.

    Args:
        rows: ascending.
    """
    chosen = np.zeros(len(column), np.bool_)
    chosen[np.asarray(rows, np.int64)] = True
    return pc.replace_with_mask(column, pa.array(chosen), pa.array(texts, type=column.type))


def utf8_of(
    column: pa.LargeStringArray,
) -> tuple[np.ndarray[Any, np.dtype[np.int64]], np.ndarray[Any, np.dtype[np.uint8]]]:
    """Offsets (int64, N + 1) and bytes of a text column, as views of Arrow's own buffers: what kernels read.

    Raises:
        ValueError: if a text is null; documents always have one.
    """
    if column.null_count:
        raise ValueError("a document without text")
    _, offsets, data = column.buffers()
    offsets_N1 = np.frombuffer(offsets, np.int64)[column.offset : column.offset + len(column) + 1]
    utf8 = np.frombuffer(data, np.uint8) if data is not None else np.empty(0, np.uint8)
    return offsets_N1, utf8


def pieces(text: pa.LargeStringArray, most_bytes: int) -> Iterator[pa.LargeStringArray]:
    """The same documents, some at a time: at most so many bytes, or one document."""
    lengths_N = pc.binary_length(text).to_numpy(zero_copy_only=False)
    end_N = np.cumsum(lengths_N)
    first = 0
    while first < len(text):
        before = end_N[first] - lengths_N[first]
        behind = max(first + 1, int(np.searchsorted(end_N, before + most_bytes, side="right")))
        yield text.slice(first, behind - first)
        first = behind
