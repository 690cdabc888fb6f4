"""The last tasks: remove repeated lines from what stays, write the shards.

kept/KEY.parquet           documents to train on
held_out/KEY.parquet       documents to measure with
dropped/KEY.parquet        the others, with reason and survivor
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from configs.artifact import Claim
from configs.schema.decontaminate import Decontaminate
from corpus.batch import SCHEMA
from corpus.decide_task import HELD_OUT, with_decisions
from corpus.decontaminate import with_contamination
from corpus.line_task import repeated_lines, without_lines
from corpus.overlap_task import mapped_overlap
from corpus.shards import ShardWriter
from corpus.stats import count_documents
from corpus.tally import Tally


@dataclass(frozen=True)
class WriteArgument:
    """A shard, and where it stands which lines go from its source."""

    key: str
    repeated: tuple[str, ...]
    decontaminate: Decontaminate
    looked_for: Mapping[str, int]
    """How many items of each evaluation set."""


def write_shard(claim: Claim, argument: WriteArgument) -> dict[str, Any]:
    """Write the three shards.

    Returns:
        The tally: documents kept, characters, and dropped by reason.
    """
    tally = Tally()
    gone = repeated_lines(claim.dir, argument.repeated)
    overlap = mapped_overlap(claim.dir, argument.decontaminate, argument.looked_for)
    with (
        ShardWriter(claim, f"kept/{argument.key}.parquet") as kept,
        ShardWriter(claim, f"held_out/{argument.key}.parquet") as held_out,
        ShardWriter(claim, f"dropped/{argument.key}.parquet") as dropped,
    ):
        for batch in with_decisions(claim.dir, argument.key):
            batch = with_contamination(without_lines(batch, gone, tally), overlap)
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


def _documents(batch: pa.RecordBatch, kind: str, tally: Tally) -> pa.RecordBatch:
    sources, text = batch.column("source").to_pylist(), batch.column("text")
    lengths = pc.utf8_length(text).to_pylist(), pc.binary_length(text).to_pylist()
    for source, characters, bytes_ in zip(sources, *lengths, strict=True):
        tally.add(f"{kind}.documents.{source}")
        tally.add(f"{kind}.characters.{source}", characters)
        tally.add(f"{kind}.bytes.{source}", bytes_)
    return batch.select(SCHEMA.names)
