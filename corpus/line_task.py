"""The tasks about lines and paragraphs that many documents share: counted by shard, merged by range of hashes.

.tasks/lines/KEY.bin             lines of a shard's kept documents: hashes, ascending, then in how many each stands
.tasks/repeated/RANGE.bin        hashes of the lines of a source that go, ascending, of one range

No task holds more than a shard's lines, or than a range's of all shards of a source.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from configs.artifact import TASKS, Claim
from configs.schema.dedup import RepeatedLines
from corpus.decide_task import HELD_OUT, with_decisions
from corpus.dedup.repeated_lines import LineCounts, count_lines, empty_rows, merge_counts, remove_lines, repeated
from corpus.kernels.utf8 import UInt64
from corpus.tally import Tally

ONLY_REPEATED = "only_repeated_lines"
_RECORD_BYTES = 12
_MERGE_BYTES = 80
"""Of a line while it is merged: what was read, its order, and the sorted copy."""
_HASHES = 2**64
_WORTH_A_RANGE = 500_000
"""So many lines are merged in about the time that a task takes to begin and end."""


@dataclass(frozen=True)
class CountArgument:
    """A shard, and which of its lines count."""

    key: str
    lines: RepeatedLines


@dataclass(frozen=True)
class RepeatedArgument:
    """A range of hashes of the lines of all shards of a source."""

    name: str
    keys_of_source: tuple[str, ...]
    first: int
    last: int
    lines: RepeatedLines


def count_shard_lines(claim: Claim, argument: CountArgument) -> int:
    """Count the lines of a shard's kept documents, held-out ones included; gives how many different ones there are."""
    kept = (_staying(batch) for batch in with_decisions(claim.dir, argument.key))
    hashes, documents = count_lines(kept, argument.lines)
    with claim.file(_lines_path(argument.key)) as out:
        out.write(hashes)
        out.write(documents.astype(np.uint32))
    return int(hashes.size)


def _staying(batch: pa.RecordBatch) -> pa.RecordBatch:
    reason = batch.column("reason")
    return batch.filter(pc.fill_null(pc.equal(reason, HELD_OUT), True))


def ranges_of(
    source: str, keys: tuple[str, ...], counted: int, lines: RepeatedLines, memory_bytes: float, workers: int = 1
) -> Iterator[RepeatedArgument]:
    """Ranges of hashes of which each fits in memory, one per worker where there are many; hashes are spread evenly."""
    pieces = max(1, -int(-counted * _MERGE_BYTES // memory_bytes), min(workers, counted // _WORTH_A_RANGE))
    for at in range(pieces):
        first, last = _HASHES * at // pieces, _HASHES * (at + 1) // pieces
        # A build that goes on with other workers, or memory, must not take its ranges for these.
        yield RepeatedArgument(f"{source}-{at:05d}-of-{pieces:05d}", keys, first, last, lines)


def find_repeated(claim: Claim, argument: RepeatedArgument) -> None:
    """Write the hashes of the lines of a range that go."""
    parts = [_in_range(claim.dir / _lines_path(key), argument) for key in argument.keys_of_source]
    with claim.file(_repeated_path(argument.name)) as out:
        out.write(repeated(merge_counts(parts), argument.lines))


def _in_range(path: Path, argument: RepeatedArgument) -> LineCounts:
    count = path.stat().st_size // _RECORD_BYTES
    if count == 0:
        return np.empty(0, np.uint64), np.empty(0, np.int64)
    hashes = np.memmap(path, np.uint64, "r", shape=(count,))
    documents = np.memmap(path, np.uint32, "r", offset=8 * count, shape=(count,))
    start = int(np.searchsorted(hashes, np.uint64(argument.first)))
    end = count if argument.last == _HASHES else int(np.searchsorted(hashes, np.uint64(argument.last)))
    return np.array(hashes[start:end]), documents[start:end].astype(np.int64)


def repeated_lines(directory: Path, names: Iterable[str]) -> UInt64:
    """Hashes of the lines of a source that go, ascending, from all its ranges."""
    parts = [np.fromfile(directory / _repeated_path(name), np.uint64) for name in names]
    return np.concatenate(parts) if parts else np.empty(0, np.uint64)


def without_lines(batch: pa.RecordBatch, gone: UInt64, tally: Tally) -> pa.RecordBatch:
    """Remove repeated lines from what stays; a document that had nothing else goes."""
    stays = pc.fill_null(pc.equal(batch.column("reason"), HELD_OUT), True)
    trimmed = remove_lines(batch.filter(stays), gone, tally)
    empty = empty_rows(trimmed)
    reason = pc.if_else(empty, ONLY_REPEATED, trimmed.column("reason"))
    trimmed = trimmed.set_column(trimmed.schema.get_field_index("reason"), "reason", reason)
    both = pa.Table.from_batches([trimmed, batch.filter(pc.invert(stays))]).combine_chunks()
    batches = both.to_batches()
    return batches[0] if batches else batch


def _lines_path(key: str) -> str:
    return f"{TASKS}/lines/{key}.bin"


def _repeated_path(name: str) -> str:
    return f"{TASKS}/repeated/{name}.bin"
