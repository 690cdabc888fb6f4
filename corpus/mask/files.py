"""Masking files, without a run file: read, find personal data, do with it what the settings say.

masked/KEY.parquet   the documents that stay
spans/KEY.parquet    where personal data stood: the document's id, path, place and number in the file, kind, start, end
quarantine.jsonl     what could not be read
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from configs.artifact import Artifact, Claim, build
from configs.schema.corpus import Limits, Source
from configs.schema.mask import Mask
from corpus.batch import Batch
from corpus.cut import Shard, cut
from corpus.mask.find import find_spans
from corpus.mask.pseudonym import keep_to_key, needs_key, read_key
from corpus.mask.step import mask
from corpus.named_files import named_files
from corpus.quarantine import write_quarantine
from corpus.read.open import read
from corpus.read.source import Reading
from corpus.shards import ShardWriter
from corpus.tally import Tally
from corpus.tasks import run_phase

KIND, VERSION = "masked", 2


@dataclass(frozen=True)
class MaskFilesArgument:
    """A shard of files, how they are read, and what becomes of personal data in them."""

    shard: Shard
    source: Source
    settings: Mask


def mask_files(
    paths: Sequence[str], out: Path, settings: Mask, workers: int, *, language: str = "ja", text_key: str = "text"
) -> Artifact:
    """Mask the documents of some files or folders.

    Args:
        out: the directory that is made, as the artifact protocol says; started again it goes on.
    Raises:
        UserError: if a path does not exist, the directory holds other work, or a key is missing.
    """
    sources, raw = named_files(paths, Source(path="PATH", language=language, text_key=text_key))
    config = {"mask": settings.digested(), "language": language, "text_key": text_key}
    builder = build(out, kind=KIND, version=VERSION, config=config, inputs=raw)
    if builder.complete is not None:
        return builder.complete
    if needs_key(settings):
        keep_to_key(builder, read_key(settings, out))
    arguments = {
        shard.key: (MaskFilesArgument(shard, sources[shard.pieces[0].source], settings), shard.bytes)
        for shard in cut(sources, raw, Limits().task_bytes)
    }
    tally = Tally()
    for result in run_phase(builder, "mask", mask_shard, arguments, workers).values():
        tally.merge(Tally.from_json(result))
    counts: dict[str, Any] = {"documents": tally.counts["documents"], "masked": {}, "dropped": {}}
    for name, count in sorted(tally.counts.items()):
        what, _, word = name.partition(".")
        if word:
            counts[what][word] = count
    write_quarantine(builder, tally)
    return builder.finish({**counts, "quarantined": len(tally.quarantine)})


def mask_shard(claim: Claim, argument: MaskFilesArgument) -> dict[str, Any]:
    """Mask a shard; gives the tally."""
    shard, settings, tally = argument.shard, argument.settings, Tally()
    with (
        ShardWriter(claim, f"masked/{shard.key}.parquet") as masked,
        ShardWriter(claim, f"spans/{shard.key}.parquet") as spans,
    ):
        for piece in shard.pieces:
            first = 0
            for batch in read(Reading(piece, argument.source, Limits(), tally, {})):
                tally.add("documents", batch.num_rows)
                spans.add(_table_of_spans(batch, settings, first))
                first += batch.num_rows
                batch, reasons = mask(batch, settings, tally)
                for reason in filter(None, reasons):
                    tally.add(f"dropped.{reason}")
                masked.add(batch.filter(pa.array([reason is None for reason in reasons])))
    return tally.to_json()


def _table_of_spans(batch: Batch, settings: Mask, first: int) -> pa.Table:
    wanted = [kind for kind, action in settings.actions().items() if action != "leave"]
    found = [(row, span) for row, spans in find_spans(batch.column("text"), wanted).items() for span in spans]
    rows = pa.array([row for row, _ in found], pa.int64())
    columns = {
        "id": batch.column("id").take(rows),
        "path": batch.column("path").take(rows),
        "position": batch.column("position").take(rows),
        "row": pa.array([first + row for row, _ in found], pa.int64()),
        "kind": pa.array([span.kind for _, span in found], pa.string()),
        "start": pa.array([span.start for _, span in found], pa.int64()),
        "end": pa.array([span.end for _, span in found], pa.int64()),
    }
    return pa.table(columns)
