"""The last tasks: count lines of what stays, remove the repeated ones, write the shards.

.tasks/lines/KEY.parquet   in how many kept documents of the shard each line stands
.tasks/held_out/KEY.parquet  texts that must not be trained on
kept/KEY.parquet           documents to train on
held_out/KEY.parquet       documents to measure with
dropped/KEY.parquet        the others, with reason and survivor
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from configs.artifact import TASKS, Claim
from configs.schema.decontaminate import Decontaminate
from configs.schema.dedup import RepeatedLines
from corpus.batch import SCHEMA
from corpus.decide_task import HELD_OUT, decided_path
from corpus.decontaminate import Overlap, evaluation_items, with_contamination
from corpus.dedup.repeated_lines import (
    LineCounts,
    count_lines,
    empty_rows,
    merge_counts,
    remove_lines,
    repeated,
)
from corpus.kernels.utf8 import UInt64
from corpus.measure_task import measured_path
from corpus.shards import ShardWriter, read_batches
from corpus.stats import count_documents
from corpus.tally import Tally

ONLY_REPEATED = "only_repeated_lines"


@dataclass(frozen=True)
class WriteArgument:
    """A shard, and the shards of the same source, whose lines are counted together."""

    key: str
    keys_of_source: tuple[str, ...]
    all_keys: tuple[str, ...]
    lines: RepeatedLines | None
    decontaminate: Decontaminate


def lines_path(key: str) -> str:
    """Where a shard's line counts are."""
    return f"{TASKS}/lines/{key}.parquet"


def held_out_texts_path(key: str) -> str:
    """Where the texts of a shard's held-out documents wait to be looked for."""
    return f"{TASKS}/held_out/{key}.parquet"


def count_shard_lines(claim: Claim, argument: WriteArgument) -> None:
    """Count the lines of a shard's kept documents, held-out ones included."""
    if argument.lines is None:
        return
    kept = (_staying(batch) for batch in _with_decisions(claim.dir, argument.key))
    hashes, counts = count_lines(kept, argument.lines)
    with ShardWriter(claim, lines_path(argument.key)) as writer:
        writer.add(pa.table({"hash": hashes, "documents": counts}))


def gather_held_out(claim: Claim, argument: WriteArgument) -> None:
    """Put the texts of a shard's held-out documents aside, as they are written later."""
    if not argument.decontaminate.held_out:
        return
    gone = _repeated_lines(claim.dir, argument)
    with ShardWriter(claim, held_out_texts_path(argument.key)) as writer:
        for batch in _with_decisions(claim.dir, argument.key):
            chosen = batch.filter(pc.fill_null(pc.equal(batch.column("reason"), HELD_OUT), False))
            if chosen.num_rows:
                chosen = _without_lines(chosen, gone, Tally())
                left = chosen.filter(pc.equal(chosen.column("reason"), HELD_OUT))
                writer.add(pa.table({"text": left.column("text")}))


def _overlap(directory: Path, argument: WriteArgument) -> Overlap:
    paths = [directory / held_out_texts_path(key) for key in argument.all_keys]
    texts = (text for batch in read_batches(paths) for text in batch.column("text").to_pylist())
    return Overlap(evaluation_items(argument.decontaminate), texts, argument.decontaminate)


def write_shard(claim: Claim, argument: WriteArgument) -> dict[str, Any]:
    """Write the three shards.

    Returns:
        The tally: documents kept, characters, and dropped by reason.
    """
    tally = Tally()
    gone, overlap = _repeated_lines(claim.dir, argument), _overlap(claim.dir, argument)
    with (
        ShardWriter(claim, f"kept/{argument.key}.parquet") as kept,
        ShardWriter(claim, f"held_out/{argument.key}.parquet") as held_out,
        ShardWriter(claim, f"dropped/{argument.key}.parquet") as dropped,
    ):
        for batch in _with_decisions(claim.dir, argument.key):
            batch = with_contamination(_without_lines(batch, gone, tally), overlap)
            count_documents(batch, tally)
            reason = batch.column("reason")
            kept.add(_documents(batch.filter(pc.is_null(reason)), "kept", tally))
            is_held_out = pc.fill_null(pc.equal(reason, HELD_OUT), False)
            held_out.add(_documents(batch.filter(is_held_out), "held_out", tally))
            others = batch.filter(pc.and_(pc.is_valid(reason), pc.invert(is_held_out)))
            dropped.add(others)
            for word in reason.drop_null().to_pylist():
                tally.add(f"dropped.{word}")
    return tally.to_json()


def _with_decisions(directory: Path, key: str) -> Iterator[pa.RecordBatch]:
    """The documents of a shard with the final reason and survivor."""
    columns = SCHEMA.names
    if not (directory / measured_path(key)).exists():
        return
    decisions = pq.read_table(directory / decided_path(key)).combine_chunks()
    first = 0
    for batch in read_batches([directory / measured_path(key)], columns):
        here = decisions.slice(first, batch.num_rows)
        first += batch.num_rows
        arrays = [*batch.columns, *(column.combine_chunks() for column in here.columns)]
        yield pa.RecordBatch.from_arrays(arrays, names=[*columns, "reason", "survivor"])


def _staying(batch: pa.RecordBatch) -> pa.RecordBatch:
    reason = batch.column("reason")
    return batch.filter(pc.fill_null(pc.equal(reason, HELD_OUT), True))


def _repeated_lines(directory: Path, argument: WriteArgument) -> UInt64:
    paths = [directory / lines_path(key) for key in argument.keys_of_source]
    parts: list[LineCounts] = []
    for path in (path for path in paths if path.exists()):
        table = pq.read_table(path)
        parts.append((table.column("hash").to_numpy(), table.column("documents").to_numpy()))
    if argument.lines is None or not parts:
        return np.empty(0, np.uint64)
    return repeated(merge_counts(parts), argument.lines)


def _without_lines(batch: pa.RecordBatch, gone: UInt64, tally: Tally) -> pa.RecordBatch:
    """Remove repeated lines from what stays; a document that had nothing else goes."""
    stays = pc.fill_null(pc.equal(batch.column("reason"), HELD_OUT), True)
    trimmed = remove_lines(batch.filter(stays), gone, tally)
    empty = empty_rows(trimmed)
    reason = pc.if_else(empty, ONLY_REPEATED, trimmed.column("reason"))
    trimmed = trimmed.set_column(trimmed.schema.get_field_index("reason"), "reason", reason)
    both = pa.Table.from_batches([trimmed, batch.filter(pc.invert(stays))]).combine_chunks()
    batches = both.to_batches()
    return batches[0] if batches else batch


def _documents(batch: pa.RecordBatch, kind: str, tally: Tally) -> pa.RecordBatch:
    for source, text in zip(batch.column("source").to_pylist(), batch.column("text").to_pylist(), strict=True):
        tally.add(f"{kind}.documents.{source}")
        tally.add(f"{kind}.characters.{source}", len(text))
        tally.add(f"{kind}.bytes.{source}", len(text.encode()))
    return batch.select(SCHEMA.names)
