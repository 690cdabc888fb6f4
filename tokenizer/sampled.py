"""The documents of a corpus that are learned from: those that their ids choose."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from corpus.shards import read_batches

_DIGITS = 13
"""Of an id, hexadecimal; so many are exact in a float."""


def is_sampled(id_: str, share: float) -> bool:
    """Whether a document is one of about such a share of all, the same ones whoever asks."""
    return int(id_[:_DIGITS], 16) < share * 16.0**_DIGITS


def sampled_texts(shard: Path, share: float) -> Iterator[pa.LargeStringArray]:
    """Texts of the documents of a shard that are sampled."""
    for batch in read_batches([shard], ["id", "text"]):
        sampled_N = [is_sampled(id_, share) for id_ in batch.column("id").to_pylist()]
        yield batch.column("text").filter(pa.array(sampled_N, pa.bool_()))
