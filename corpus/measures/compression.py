"""How far a text can be compressed."""

from __future__ import annotations

import zlib

import numpy as np

from corpus.batch import Batch
from corpus.measures.registry import Columns, measures


@measures(
    "zlib_ratio",
    source="llm-jp-corpus v1 (scripts/filters.py, has_good_compression_ratio): deflate at level 9",
    when="undecided",
)
def compression(batch: Batch) -> Columns:
    """Bytes after zlib at level 9, of those before; null of an empty text."""
    texts = [text.encode() for text in batch.column("text").to_pylist()]
    return {"zlib_ratio": np.array([len(zlib.compress(one, 9)) / len(one) if one else np.nan for one in texts])}
