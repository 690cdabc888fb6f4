"""The last tasks: remove repeated lines from what stays, write the shards.

.tasks/held_out/KEY.parquet  texts that must not be trained on
kept/KEY.parquet           documents to train on
held_out/KEY.parquet       documents to measure with
dropped/KEY.parquet        the others, with reason and survivor
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from configs.artifact import TASKS, Claim
from configs.raw_input import RawFile, find_files
from configs.schema.decontaminate import Decontaminate
from corpus.batch import SCHEMA
from corpus.decide_task import HELD_OUT, with_decisions
from corpus.decontaminate import Overlap, evaluation_items, with_contamination
from corpus.dedup.repeated_lines import empty_rows, remove_lines
from corpus.kernels.utf8 import UInt64
from corpus.line_task import repeated_lines
from corpus.shards import ShardWriter, read_batches
from corpus.stage import evaluation_files
from corpus.stats import count_documents
from corpus.tally import Tally

ONLY_REPEATED = "only_repeated_lines"


@dataclass(frozen=True)
class WriteArgument:
    """A shard, and where it stands which lines go from its source."""

    key: str
    repeated: tuple[str, ...]
    all_keys: tuple[str, ...]
    decontaminate: Decontaminate


def held_out_texts_path(key: str) -> str:
    """Where the texts of a shard's held-out documents wait to be looked for."""
    return f"{TASKS}/held_out/{key}.parquet"


def gather_held_out(claim: Claim, argument: WriteArgument) -> None:
    """Put the texts of a shard's held-out documents aside, as they are written later."""
    if not argument.decontaminate.held_out:
        return
    gone = repeated_lines(claim.dir, argument.repeated)
    with ShardWriter(claim, held_out_texts_path(argument.key)) as writer:
        for batch in with_decisions(claim.dir, argument.key):
            chosen = batch.filter(pc.fill_null(pc.equal(batch.column("reason"), HELD_OUT), False))
            if chosen.num_rows:
                chosen = _without_lines(chosen, gone, Tally())
                left = chosen.filter(pc.equal(chosen.column("reason"), HELD_OUT))
                writer.add(pa.table({"text": left.column("text")}))


def _overlap(directory: Path, argument: WriteArgument) -> Overlap:
    paths = [directory / held_out_texts_path(key) for key in argument.all_keys]
    held_out = [file for path in paths if path.exists() for file in find_files(str(path), what=HELD_OUT)]
    settings = argument.decontaminate
    return _overlap_of(tuple(held_out), tuple(evaluation_files(settings).items()), settings.model_dump_json())


@lru_cache(maxsize=1)
def _overlap_of(
    held_out: tuple[RawFile, ...], sets: tuple[tuple[str, tuple[RawFile, ...]], ...], words: str
) -> Overlap:
    """One for all tasks of a process, for as long as none of the files is another."""
    settings = Decontaminate.model_validate_json(words)
    batches = read_batches(file.path for file in held_out)
    texts = (text for batch in batches for text in batch.column("text").to_pylist())
    return Overlap(evaluation_items(settings, dict(sets)), texts, settings)


def write_shard(claim: Claim, argument: WriteArgument) -> dict[str, Any]:
    """Write the three shards.

    Returns:
        The tally: documents kept, characters, and dropped by reason.
    """
    tally = Tally()
    gone, overlap = repeated_lines(claim.dir, argument.repeated), _overlap(claim.dir, argument)
    with (
        ShardWriter(claim, f"kept/{argument.key}.parquet") as kept,
        ShardWriter(claim, f"held_out/{argument.key}.parquet") as held_out,
        ShardWriter(claim, f"dropped/{argument.key}.parquet") as dropped,
    ):
        for batch in with_decisions(claim.dir, argument.key):
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
