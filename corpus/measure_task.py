"""The first task: read, decode, normalise, measure, decide by rules, mask, sign.

.tasks/measured/KEY.parquet   every document, normalised and masked, with its reason so far
measures/KEY.parquet          every measure of every document
signatures/KEY.parquet        every document's signature
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from configs.artifact import TASKS, Claim
from configs.schema.corpus import Corpus
from configs.schema.preset import Preset
from corpus.batch import Batch, utf8_of
from corpus.cut import Shard
from corpus.dedup.signed import content_column, signature_column
from corpus.judge import judge
from corpus.kernels.shingles import signatures
from corpus.lists import list_measures, list_rules
from corpus.mask.step import mask
from corpus.measures.registry import table_of
from corpus.normalise.step import normalise
from corpus.read.open import read
from corpus.read.source import Reading
from corpus.rules import reason_words
from corpus.shards import PASSING, ShardWriter
from corpus.tally import Tally


@dataclass(frozen=True)
class MeasureArgument:
    """A shard and what is done with it."""

    shard: Shard
    settings: Corpus
    preset: Preset


def measured_path(key: str) -> str:
    """Where the documents of a shard wait for the decision about duplicates."""
    return f"{TASKS}/measured/{key}.parquet"


def measures_path(key: str) -> str:
    """The measures of a shard."""
    return f"measures/{key}.parquet"


def signatures_path(key: str) -> str:
    """The signatures of a shard."""
    return f"signatures/{key}.parquet"


def measure_shard(claim: Claim, argument: MeasureArgument) -> dict[str, Any]:
    """Do the task.

    Returns:
        The tally, and for each piece the bytes that were read and their SHA-256.
    """
    shard, settings = argument.shard, argument.settings
    tally = Tally()
    pieces = []
    with (
        ShardWriter(claim, measured_path(shard.key), PASSING) as measured,
        ShardWriter(claim, measures_path(shard.key)) as measures,
        ShardWriter(claim, signatures_path(shard.key)) as signed,
    ):
        for piece in shard.pieces:
            hashes: dict[str, str] = {}
            source = settings.sources[piece.source]
            reading = Reading(piece, source, settings.limits, tally, hashes)
            for batch in read(reading):
                _process(batch, argument, tally, (measured, measures, signed))
            if piece.name in hashes:
                pieces.append(
                    {"name": piece.name, "start": piece.start, "end": piece.end, "sha256": hashes[piece.name]}
                )
    return {"tally": tally.to_json(), "pieces": pieces}


def _process(batch: Batch, argument: MeasureArgument, tally: Tally, writers: Sequence[ShardWriter]) -> None:
    settings, preset = argument.settings, argument.preset
    tally.add("documents_read", batch.num_rows)
    batch = normalise(batch, preset.steps, settings.normalise, tally)
    rules = (*preset.rules, *list_rules(settings))
    columns, reason_N = judge(batch, rules, list_measures(settings))
    batch, personal_N = mask(batch, settings.mask, tally)
    measured, measures, signed = writers
    measures.add(table_of(batch, columns))
    signature_NK = signatures(*utf8_of(batch.column("text")), settings.dedup.bands * settings.dedup.rows)
    signed.add(pa.table({"id": batch.column("id"), "signature": signature_column(signature_NK)}))
    table = pa.Table.from_batches([batch])
    # A rule's reason comes first: the counts of a preset do not depend on what is masked.
    reasons = [word or personal for word, personal in zip(reason_words(reason_N, rules), personal_N, strict=True)]
    table = table.append_column("reason", pa.array(reasons, type=pa.string()))
    measured.add(table.append_column("content", content_column(batch.column("text"))))
