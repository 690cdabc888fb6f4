"""Texts of some documents of a finished corpus, whatever became of them."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from configs.artifact import Artifact
from corpus.batch import SCHEMA, Batch

_PARTS = ("kept", "held_out", "dropped")


def texts_of(corpus: Artifact, shard: str, ids: pa.StringArray) -> Batch:
    """Documents of one shard in the order of `ids`, as they were written: masked, repeated lines removed.

    Raises:
        KeyError: if the shard has not all of them.
    """
    ids = ids.combine_chunks() if isinstance(ids, pa.ChunkedArray) else ids
    tables = []
    for part in _PARTS:
        path = corpus.dir / part / f"{shard}.parquet"
        if path.exists():
            with pq.ParquetFile(path) as file:
                # The rows are known before any text is read.
                rows = pc.indices_nonzero(pc.is_in(file.read(["id"]).column("id"), ids))
                if len(rows):
                    tables.append(file.read(SCHEMA.names).take(rows))
    found = pa.concat_tables(tables) if tables else pa.table({name: [] for name in SCHEMA.names}, schema=SCHEMA)
    order = pc.index_in(ids, found.column("id").combine_chunks())
    if order.null_count:
        raise KeyError(f"{shard}: {order.null_count} of {len(ids)} documents are not there")
    whole: Batch = pa.RecordBatch.from_arrays(
        [column.combine_chunks() for column in found.take(order).columns], schema=SCHEMA
    )
    return whole
