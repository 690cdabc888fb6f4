"""The documents of a corpus that are learned from: those that their ids choose."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from corpus.shards import read_batches


def sampled_texts(shard: Path, share: float) -> Iterator[pa.LargeStringArray]:
    """Texts of about such a share of the documents of a shard, the same ones whoever asks."""
    for batch in read_batches([shard], ["id", "text"]):
        sampled_N = [int(id_[:13], 16) < share * 16**13 for id_ in batch.column("id").to_pylist()]
        yield batch.column("text").filter(pa.array(sampled_N, pa.bool_()))
