"""Parquet files: a row is a document."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from configs.atomic_file import sha256_of
from corpus.batch import BATCH_DOCUMENTS, Batch
from corpus.read.records import add_mapping
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
                for record in _records(rows):
                    if record is None:
                        reading.put_aside(row, "undecodable", "a field that is not UTF-8")
                    else:
                        add_mapping(reading, builder, row, record, "utf-8")
                    row += 1
                if (batch := builder.take()) is not None:
                    yield batch
    except (OSError, pa.ArrowException) as error:
        reading.put_aside(row, "damaged", type(error).__name__)
        if (batch := builder.take()) is not None:
            yield batch


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
