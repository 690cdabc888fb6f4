"""The documents that share a band with another, put aside by bucket: one Arrow file per shard, one batch per bucket.

A bucket holds whole sets of linked documents, so buckets are decided on beside each other and each fits in memory.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from configs.schema.dedup import Dedup
from corpus.dedup.near import STAYS, deduplicate
from corpus.dedup.signed import Signed, signature_matrix
from corpus.kernels.shingles import UInt32
from corpus.kernels.utf8 import Int64

BATCH_ROWS = 4096

FOUND = pa.schema(
    [("document", pa.uint32()), ("survivor", pa.string()), ("exact", pa.bool_()), ("cluster", pa.string())]
)
"""What is found of a document: the id of its survivor if it goes, and the smallest id of its cluster."""


def candidates_of(shard: Signed, document_M: UInt32) -> pa.Table:
    """The documents with these numbers: document, id, content, signature, text.

    Args:
        document_M: numbers of documents of the shard, ascending.
    """
    rows_M = document_M.astype(np.int64) - shard.first
    columns = {
        "document": pa.array(document_M),
        "id": _taken(shard.signatures, "id", rows_M, pa.string()),
        "content": pa.nulls(rows_M.size, pa.binary(16)),
        "signature": _taken(shard.signatures, "signature", rows_M, None),
        "text": pa.nulls(rows_M.size, pa.large_string()),
    }
    if shard.documents is not None:
        columns["content"] = _taken(shard.documents, "content", rows_M, pa.binary(16))
        columns["text"] = _taken(shard.documents, "text", rows_M, pa.large_string())
    return pa.table(columns)


def _taken(path: Path, column: str, rows_M: Int64, kind: pa.DataType | None) -> pa.ChunkedArray:
    """Some rows of one column, batch by batch: the rest of a shard is never held."""
    parts, first = [], 0
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=BATCH_ROWS, columns=[column]):
            start, end = np.searchsorted(rows_M, (first, first + batch.num_rows))
            if start < end:
                parts.append(batch.column(column).take(pa.array(rows_M[start:end] - first)))
            first += batch.num_rows
    return pa.chunked_array([part.cast(kind) for part in parts] if kind is not None else parts)


def write_buckets(out: Any, candidates: pa.Table, bucket_M: UInt32, buckets: int) -> None:
    """Write one batch per bucket, empty ones too, each in the order of the documents."""
    order = np.argsort(bucket_M, kind="stable")
    bounds = np.searchsorted(bucket_M[order], np.arange(buckets + 1))
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    with pa.ipc.new_file(out, candidates.schema, options=options) as writer:
        for start, end in itertools.pairwise(bounds):
            rows = candidates.take(pa.array(order[start:end])).combine_chunks().to_batches()
            writer.write_batch(rows[0] if rows else pa.RecordBatch.from_pylist([], candidates.schema))


def decide_bucket(paths: Sequence[Path], bucket: int, settings: Dedup, fixed: int) -> pa.Table:
    """Decide on the documents of one bucket.

    Args:
        paths: files that `write_buckets` wrote, in the order of the documents.
        fixed: documents with smaller numbers belong to an existing corpus and stay.
    Returns:
        Columns as in FOUND, ascending by document; a document of which there is nothing to say is left out.
    """
    batches = [_batch(path, bucket, ["document", "id", "content", "signature"]) for path in paths]
    batches = [batch for batch in batches if batch.num_rows]
    if not batches:
        return FOUND.empty_table()
    table = pa.Table.from_batches(batches).combine_chunks()
    document_N = table.column("document").to_numpy()
    ids: list[str] = table.column("id").to_pylist()
    verdict = deduplicate(
        table.column("content").to_pylist(),
        signature_matrix(table.column("signature").chunk(0)),
        _texts(paths, bucket),
        settings,
        int(np.searchsorted(document_N, fixed)),
    )
    survivor_N = np.maximum(verdict.exact_N, verdict.near_N)
    names = _cluster_names(ids, verdict.cluster_N)
    said = np.array([name != one for name, one in zip(names, ids, strict=True)]) | (survivor_N != STAYS)
    columns = {
        "document": document_N,
        "survivor": [None if survivor == STAYS else ids[survivor] for survivor in survivor_N.tolist()],
        "exact": verdict.exact_N != STAYS,
        "cluster": names,
    }
    return pa.table(columns, schema=FOUND).filter(pa.array(said))


def _texts(paths: Iterable[Path], bucket: int) -> Iterator[bytes | None]:
    for path in paths:
        yield from _batch(path, bucket, ["text"]).column("text").cast(pa.large_binary()).to_pylist()


def _batch(path: Path, bucket: int, columns: Sequence[str]) -> pa.RecordBatch:
    names = ["document", "id", "content", "signature", "text"]
    options = pa.ipc.IpcReadOptions(included_fields=[names.index(column) for column in columns])
    with pa.memory_map(str(path)) as mapped, pa.ipc.open_file(mapped, options=options) as file:
        return file.get_batch(bucket)


def _cluster_names(ids: Sequence[str], cluster_N: Int64) -> list[str]:
    """The smallest id of each document's cluster."""
    name: dict[int, str] = {}
    for label, one in zip(cluster_N.tolist(), ids, strict=True):
        name[label] = min(name.get(label, one), one)
    return [name[label] for label in cluster_N.tolist()]
