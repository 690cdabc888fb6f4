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

# Text compresses three times with zstd; level 3 writes at about the speed the rest of the stage works at.
_COMPRESSION, _LEVEL = "zstd", 3


class ShardWriter:
    """Writes one shard batch by batch; a shard without rows is not written at all. Used as a context."""

    def __init__(self, claim: Claim, name: str) -> None:
        self._claim, self._name = claim, name
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
            writer = pq.ParquetWriter(out, rows.schema, compression=_COMPRESSION, compression_level=_LEVEL)
            self._writer = self._open.enter_context(writer)
        self._writer.write(rows)


def read_batches(paths: Iterable[Path], columns: list[str] | None = None) -> Iterator[Batch]:
    """The rows of shards, in order; a shard that was never written has none."""
    for path in paths:
        if path.exists():
            with pq.ParquetFile(path) as file:
                yield from file.iter_batches(batch_size=BATCH_DOCUMENTS, columns=columns)
