"""Measuring files, without a run file: read, normalise, measure, decide; no text is written.

measures/KEY.parquet   every document's id, path, position, measures, and the reason it would be dropped for
quarantine.jsonl       what could not be read
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from configs.artifact import Artifact, Claim, build
from configs.schema.corpus import Limits, Normalise, Source
from configs.schema.preset import Preset, load_preset
from corpus.cut import Shard, cut
from corpus.judge import judge
from corpus.measures.registry import table_of
from corpus.named_files import named_files
from corpus.normalise.step import normalise
from corpus.quarantine import write_quarantine
from corpus.read.open import read
from corpus.read.source import Reading
from corpus.rules import check_preset, reason_words
from corpus.shards import ShardWriter
from corpus.tally import Tally
from corpus.tasks import run_phase

KIND, VERSION = "measures", 2


@dataclass(frozen=True)
class MeasureFilesArgument:
    """A shard of files, how they are read, and by which rules they are measured."""

    shard: Shard
    source: Source
    preset: Preset


def measure_files(
    paths: Sequence[str], out: Path, preset: str, workers: int, *, language: str = "ja", text_key: str = "text"
) -> Artifact:
    """Measure the documents of some files or folders, and say what a preset would drop.

    Args:
        out: the directory that is made, as the artifact protocol says; started again it goes on.
    Raises:
        UserError: if a path or the preset does not exist, or the directory holds other work.
    """
    rules = load_preset(preset)
    check_preset(rules, preset)
    sources, raw = named_files(paths, Source(path="PATH", language=language, text_key=text_key))
    config = {"preset": rules.digested(), "language": language, "text_key": text_key}
    builder = build(out, kind=KIND, version=VERSION, config=config, inputs=raw)
    if builder.complete is not None:
        return builder.complete
    arguments = {
        shard.key: (MeasureFilesArgument(shard, sources[shard.pieces[0].source], rules), shard.bytes)
        for shard in cut(sources, raw, Limits().task_bytes)
    }
    tally = Tally()
    for result in run_phase(builder, "measure", measure_shard, arguments, workers).values():
        tally.merge(Tally.from_json(result))
    dropped = {name.removeprefix("dropped."): n for name, n in sorted(tally.counts.items()) if "." in name}
    counts = {"documents": tally.counts["documents"], "passing": tally.counts["passing"], "dropped": dropped}
    write_quarantine(builder, tally)
    return builder.finish({**counts, "quarantined": len(tally.quarantine)})


def measure_shard(claim: Claim, argument: MeasureFilesArgument) -> dict[str, Any]:
    """Measure a shard; gives the tally."""
    shard, rules, tally = argument.shard, argument.preset.rules, Tally()
    with ShardWriter(claim, f"measures/{shard.key}.parquet") as writer:
        for piece in shard.pieces:
            for batch in read(Reading(piece, argument.source, Limits(), tally, {})):
                tally.add("documents", batch.num_rows)
                # What the steps changed is nothing to count: the texts are not kept.
                batch = normalise(batch, argument.preset.steps, Normalise(), Tally())
                columns, reason_N = judge(batch, rules)
                reasons = reason_words(reason_N, rules)
                for word in reasons:
                    tally.add("passing" if word is None else f"dropped.{word}")
                table = table_of(batch, columns)
                for at, name in enumerate(("path", "position"), start=1):
                    table = table.add_column(at, name, batch.column(name))
                writer.add(table.append_column("reason", pa.array(reasons, pa.string())))
    return tally.to_json()
