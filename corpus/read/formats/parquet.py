"""Parquet files: a row is a document."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from configs.atomic_file import sha256_of
from corpus.batch import BATCH_DOCUMENTS, Batch, BatchBuilder
from corpus.read.records import add_mapping, meta_of
from corpus.read.registry import Format
from corpus.read.source import Reading


def read_parquet(reading: Reading) -> Iterator[Batch]:
    """A document per row; a file that is damaged, or lacks the text column, is quarantined."""
    piece, source = reading.piece, reading.source
    builder = reading.builder()
    row = 0
    try:
        if reading.member is None:
            reading.hashes[piece.name] = sha256_of(piece.path)
            opened: Any = piece.path
        elif (content := reading.whole_file()) is not None:
            opened = pa.BufferReader(content)
        else:
            return
        with pq.ParquetFile(opened) as file:
            names = set(file.schema_arrow.names)
            if source.text_key not in names:
                reading.put_aside(0, "no_text", f"no column {source.text_key!r}")
                return
            columns = [name for name in (source.text_key, "url", *source.meta_keys) if name in names]
            for rows in file.iter_batches(batch_size=BATCH_DOCUMENTS, columns=columns):
                batch = _as_it_is(reading, builder, rows, row) or _one_by_one(reading, builder, rows, row)
                row += rows.num_rows
                if batch is not None:
                    yield batch
    except (OSError, pa.ArrowException) as error:
        reading.put_aside(row, "damaged", type(error).__name__)
        if (batch := builder.take()) is not None:
            yield batch


def _as_it_is(reading: Reading, builder: BatchBuilder, rows: pa.RecordBatch, first: int) -> Batch | None:
    """Rows of which each is a document, without a look at its text; None if one may be none."""
    source, names = reading.source, rows.schema.names
    if rows.num_rows == 0 or len(set(names)) < len(names):
        return None
    text, url = rows.column(source.text_key), rows.column("url") if "url" in names else None
    if not (_is_utf8(text) and (url is None or _is_utf8(url))) or text.null_count:
        return None
    if pc.max(pc.binary_length(text)).as_py() > reading.limits.document_bytes:
        return None
    kept = [key for key in source.meta_keys if key in names]
    try:
        meta = [meta_of(record, source) for record in rows.select(kept).to_pylist()] if kept else None
    except UnicodeDecodeError:
        return None
    return builder.batch_of(
        text.cast(pa.large_string()),
        range(first, first + rows.num_rows),
        ["utf-8"] * rows.num_rows,
        url=None if url is None else url.cast(pa.string()),
        meta=meta,
    )


def _one_by_one(reading: Reading, builder: BatchBuilder, rows: pa.RecordBatch, first: int) -> Batch | None:
    """The rows that are documents; the others go to the quarantine."""
    for row, record in enumerate(_records(rows), start=first):
        if record is None:
            reading.put_aside(row, "undecodable", "a field that is not UTF-8")
        else:
            add_mapping(reading, builder, row, record, "utf-8")
    return builder.take()


def _is_utf8(column: pa.Array) -> bool:
    """Whether a column holds texts, and these are UTF-8, which Arrow does not check when it reads."""
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return False
    try:
        column.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _records(rows: pa.RecordBatch) -> Iterator[dict[str, Any] | None]:
    """The rows; None for one whose text is not UTF-8, which Arrow does not check when it reads."""
    try:
        found: list[dict[str, Any] | None] = rows.to_pylist()
    except UnicodeDecodeError:
        found = [_record(rows.slice(number, 1)) for number in range(rows.num_rows)]
    yield from found


def _record(row: pa.RecordBatch) -> dict[str, Any] | None:
    try:
        record: dict[str, Any] = row.to_pylist()[0]
    except UnicodeDecodeError:
        return None
    return record


FORMAT = Format("parquet", ("parquet",), read_parquet, compressed=False)
