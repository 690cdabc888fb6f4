"""Band records on disk: one file per bundle of shards, sorted by hash, with offsets of its partitions.

A partition is a prefix of the hash, so a range of partitions is one piece of every block of every file, and the number
of files does not grow with the number of partitions. A record is 12 bytes: hash, document number.

Shapes: N documents, B bands, R records.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from corpus.kernels.runs import begins_of_runs
from corpus.kernels.shingles import UInt32
from corpus.kernels.utf8 import Int64, UInt64

PARTITIONS = 4096
_BOUNDS = np.arange(PARTITIONS, dtype=np.uint64) << np.uint64(52)
RECORD_BYTES = 12
_WORTH_A_RANGE = 500_000
"""So many records are linked in about the time that a task takes to begin and end."""

Records = tuple[UInt64, UInt32]
"""Hashes and the numbers of their documents, (R,) each."""


class Out(Protocol):
    """What blocks are written to."""

    def write(self, data: Any, /) -> int: ...


def band_records(first: int, passing_N: Int64, hash_BN: UInt64) -> Records:
    """The records of the documents `passing_N` of a shard whose first document has the number `first`."""
    numbers = (first + passing_N).astype(np.uint32)
    return hash_BN.ravel(), np.tile(numbers, hash_BN.shape[0])


def write_block(out: Out, records: Records) -> None:
    """Append records to a file: offsets of the partitions, then the hashes, then the document numbers."""
    hash_R, document_R = records
    order = np.argsort(hash_R)
    hash_R = hash_R[order]
    out.write(np.append(np.searchsorted(hash_R, _BOUNDS), hash_R.size).astype(np.int64))
    out.write(hash_R)
    out.write(document_R[order].astype(np.uint32, copy=False))


def read_range(path: Path, first: int, last: int) -> Iterator[Records]:
    """The records of the partitions from `first` up to but not including `last`, block by block."""
    with open(path, "rb") as file:
        while header := file.read(8 * (PARTITIONS + 1)):
            offsets = np.frombuffer(header, np.int64)
            base, count = file.tell(), int(offsets[-1])
            start, end = int(offsets[first]), int(offsets[last])
            file.seek(base + 8 * start)
            hash_R = np.fromfile(file, np.uint64, end - start)
            file.seek(base + 8 * count + 4 * start)
            yield hash_R, np.fromfile(file, np.uint32, end - start)
            file.seek(base + RECORD_BYTES * count)


def ranges(records: int, memory_bytes: float, workers: int = 1) -> list[tuple[int, int]]:
    """Ranges of partitions whose records can be sorted in so much memory, one per worker where there are many.

    Hashes are spread evenly.
    """
    # Read, order and sorted copy: 12 + 8 + 12 bytes, and some masks.
    needed = -int(-records * 40 // memory_bytes)
    pieces = min(PARTITIONS, max(1, needed, min(workers, records // _WORTH_A_RANGE)))
    bounds = [PARTITIONS * number // pieces for number in range(pieces + 1)]
    return list(itertools.pairwise(bounds))


def links(blocks: Iterable[Records]) -> UInt32:
    """Documents with the same hash: each with the first of them, every link once.

    Returns:
        uint32, (links, 2), sorted: the smaller number, then the greater.
    """
    parts = [block for block in blocks if block[0].size]
    if not parts:
        return np.empty((0, 2), np.uint32)
    hash_R = np.concatenate([part[0] for part in parts])
    document_R = np.concatenate([part[1] for part in parts])
    del parts
    order = np.argsort(hash_R)
    hash_R = hash_R[order]
    same = hash_R[1:] == hash_R[:-1]
    shared = np.append(same, False) | np.insert(same, 0, False)
    hash_S, document_S = hash_R[shared], document_R[order[shared]]
    if hash_S.size == 0:
        return np.empty((0, 2), np.uint32)
    begins = begins_of_runs(hash_S)
    smallest = np.repeat(np.minimum.reduceat(document_S, begins), np.diff(np.append(begins, hash_S.size)))
    pairs = (smallest.astype(np.uint64) << np.uint64(32)) | document_S
    pairs = np.unique(pairs[smallest != document_S])
    return np.stack([pairs >> np.uint64(32), pairs & np.uint64(0xFFFFFFFF)], axis=1).astype(np.uint32)
