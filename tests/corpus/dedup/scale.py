"""Deduplication of synthetic signatures at scale: `python scale.py DOCUMENTS FOLDER MEMORY_GB` prints JSON.

Signatures are made by number and never stored. One document in twenty is a copy of the one ten before it, nine in ten
of its values the same.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from configs.schema.dedup import Dedup
from corpus.dedup.bands import hash_bands
from corpus.dedup.candidates import decide_bucket, write_buckets
from corpus.dedup.components import buckets_of, components
from corpus.dedup.records import band_records, links, ranges, read_range, write_block
from corpus.dedup.signed import signature_column
from corpus.kernels.shingles import UInt32
from pretrain.convert.memory import PeakMemory

BLOCK = 100_000
_CANDIDATE_BYTES = 5_000


def signature_block(number: int) -> UInt32:
    """Signatures of the documents of one block, uint32 (BLOCK, 256)."""
    generator = np.random.default_rng(number)
    signature_NK = generator.integers(0, 2**32 - 1, (BLOCK, 256), dtype=np.uint32)
    copies = np.arange(19, BLOCK, 20)
    same = generator.random((copies.size, 256)) < 0.9
    signature_NK[copies] = np.where(same, signature_NK[copies - 10], signature_NK[copies])
    return signature_NK


def deduplicate_synthetic(documents: int, folder: Path, memory_gb: float) -> dict[str, float]:
    """Find the copies; gives counts, seconds and the peak of memory."""
    held = PeakMemory()
    started, settings, memory = time.monotonic(), Dedup(), memory_gb * 1e9
    blocks = range(documents // BLOCK)
    with open(folder / "bands.bin", "wb") as out:
        for number in blocks:
            hash_BN = hash_bands(signature_block(number), settings.bands, settings.rows)
            write_block(out, band_records(number * BLOCK, np.arange(BLOCK), hash_BN))

    def found() -> Iterator[UInt32]:
        for first, last in ranges(documents * settings.bands, memory):
            yield links(read_range(folder / "bands.bin", first, last))

    document_M, root_M = components(documents, found())
    buckets = max(1, -int(-document_M.size * _CANDIDATE_BYTES // memory))
    bucket_M = buckets_of(root_M, buckets)
    paths = []
    for number in blocks:
        here = slice(*np.searchsorted(document_M, (number * BLOCK, (number + 1) * BLOCK)))
        if here.start == here.stop:
            continue
        paths.append(folder / f"{number}.arrow")
        with open(paths[-1], "wb") as out:
            write_buckets(out, _candidates(document_M[here], number), bucket_M[here], buckets)
    removed = sum(
        decide_bucket(paths, bucket, settings, 0).column("survivor").drop_null().length() for bucket in range(buckets)
    )
    return {
        "documents": documents,
        "linked": int(document_M.size),
        "removed": removed,
        "expected": documents // 20,
        "buckets": buckets,
        "seconds": round(time.monotonic() - started, 1),
        "processor_s": round(time.process_time(), 1),
        "disk_gb": round(sum(path.stat().st_size for path in folder.iterdir()) / 1e9, 2),
        "peak_gb": round(held.peak / 1e9, 2),
    }


def _candidates(document_M: UInt32, number: int) -> pa.Table:
    return pa.table(
        {
            "document": pa.array(document_M),
            "id": pa.array([f"{one:024x}" for one in document_M.tolist()]),
            "content": pa.nulls(document_M.size, pa.binary(16)),
            "signature": signature_column(signature_block(number)[document_M - number * BLOCK]),
            "text": pa.nulls(document_M.size, pa.large_string()),
        }
    )


if __name__ == "__main__":
    sys.stdout.write(json.dumps(deduplicate_synthetic(int(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3]))) + "\n")
