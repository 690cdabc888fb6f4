"""Parquet shards of the corpus, written whole and read in batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

import pyarrow as pa
import pyarrow.parquet as pq

from configs.artifact import Claim
from corpus.batch import BATCH_DOCUMENTS, Batch

Compression = tuple[str, int | None]
# Text compresses three times with zstd; level 3 writes at about the speed the rest of the stage works at.
GOOD: Compression = ("zstd", 3)
FAST: Compression = ("zstd", 1)
PASSING: Compression = ("lz4", None)
"""For what is read once more and then removed."""
RAW: Compression = ("none", None)
"""For signatures, which do not compress."""
# Every text differs: looking for equal ones took a third of the time of writing.
_WITH_EQUAL_VALUES = ("source", "path", "license", "language", "encoding", "reason")


class ShardWriter:
    """Writes one shard batch by batch; a shard without rows is not written at all. Used as a context."""

    def __init__(self, claim: Claim, name: str, compression: Compression = GOOD) -> None:
        self._claim, self._name, self._compression = claim, name, compression
        self._open = ExitStack()
        self._writer: pq.ParquetWriter | None = None

    def __enter__(self) -> ShardWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return self._open.__exit__(kind, error, trace)

    def add(self, rows: Batch | pa.Table) -> None:
        """Write some rows."""
        if rows.num_rows == 0:
            return
        if self._writer is None:
            out = self._open.enter_context(self._claim.file(self._name))
            codec, level = self._compression
            equal = [name for name in _WITH_EQUAL_VALUES if name in rows.schema.names]
            writer = pq.ParquetWriter(
                out, rows.schema, compression=codec, compression_level=level, use_dictionary=equal or False
            )
            self._writer = self._open.enter_context(writer)
        self._writer.write(rows)


def read_batches(paths: Iterable[Path], columns: list[str] | None = None) -> Iterator[Batch]:
    """The rows of shards, in order; a shard that was never written has none."""
    for path in paths:
        if path.exists():
            with pq.ParquetFile(path) as file:
                yield from file.iter_batches(batch_size=BATCH_DOCUMENTS, columns=columns)
