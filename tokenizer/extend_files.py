"""Extending the tokenizer of a base by some files, without a run file.

What is in the directory, written.py says. Every document is learned from but those that are held out, by
their ids, to measure on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from configs.artifact import TASKS, Artifact, Builder, Claim, build
from configs.errors import UserError
from configs.raw_input import total_bytes
from configs.schema.corpus import Source
from configs.schema.tokenizer import Tokenizer
from corpus.cut import Shard
from corpus.shards import PASSING, ShardWriter
from corpus.tally import Tally
from corpus.tasks import run_phase
from tokenizer.base import Base
from tokenizer.base_shape import BaseShape
from tokenizer.expected import frequent_units
from tokenizer.extendable import Extendable
from tokenizer.gain import Known, points
from tokenizer.learn import extend
from tokenizer.named_texts import documents_of, named_shards
from tokenizer.open import open_tokenizer
from tokenizer.recommend import Recommendation, recommend
from tokenizer.sorted_runs import MOST_UNITS, at_least, floor_for, merged, read_run, spilled_runs
from tokenizer.stage import only_tokenizer_files
from tokenizer.written import Made, NewRows, write_extension

KIND, VERSION = "tokenizer_of_files", 1
Units = Callable[[], Iterator[pa.RecordBatch]]

# One document in so many is held out; of those, so many of each shard are measured on.
_HELD_OUT, _MEASURED = 20, 200


@dataclass(frozen=True)
class CountFilesArgument:
    """A shard of files, how they are read, the base, and the share of documents that are looked at."""

    shard: Shard
    source: Source
    base: Path
    share: float


def extend_by_files(
    base: str, paths: Sequence[str], out: Path, settings: Tokenizer, workers: int, *, text_key: str = "text"
) -> Artifact:
    """Learn from the documents of some files or folders and write the extended tokenizer.

    Args:
        base: folder or hub name.
        out: the directory that is made, as the artifact protocol says; started again it goes on.
    Raises:
        UserError: if a path does not exist, the directory holds other work, there is no text, the base cannot be
            extended, or an invariant does not hold.
    """
    named = Base("--base", base, None, out, False)
    shards, sources, raw = named_shards(paths, settings.languages[0], text_key)
    files = only_tokenizer_files(named.input)
    folder = named.folder_without_weights()
    tokenizer = open_tokenizer(folder)
    config = {**settings.digested(), "base": base, "text_key": text_key}
    builder = build(out, kind=KIND, version=VERSION, config=config, inputs={**raw, "base": files})
    if builder.complete is not None:
        return builder.complete
    size = sum(total_bytes(some) for some in raw.values())
    share = min(1.0, settings.sample_bytes / max(1, size))
    arguments = {
        key: (CountFilesArgument(shard, sources[shard.pieces[0].source], folder, share), shard.bytes)
        for key, shard in shards.items()
    }
    results = run_phase(builder, "count", count_files, arguments, workers).values()
    tally = Tally()
    for result in results:
        tally.merge(Tally.from_json(result))
    if not tally.counts["characters"]:
        reasons = ", ".join(sorted({one.reason for one in tally.quarantine})) or "no file has a document"
        raise UserError(f"--text: there is no text in {', '.join(paths)} ({reasons})")
    units = _merged_units(builder)
    made = _made(builder, settings, folder, tokenizer, units, tally.counts["characters"])
    texts = _held_out(builder)
    made.refuse_broken(texts, units())
    rows = NewRows(settings.init, 0, units)
    return write_extension(builder, made, rows, files, {settings.languages[0]: texts})


def count_files(claim: Claim, argument: CountFilesArgument) -> dict[str, Any]:
    """Count the units of a shard, and keep some documents to measure on; gives the tally."""
    tally, base = Tally(), open_tokenizer(argument.base)
    held_out: list[str] = []
    others: list[str] = []

    def learned_from() -> Iterator[pa.LargeStringArray]:
        for id_, text in documents_of(argument.shard, argument.source, tally):
            drawn = int(id_[:13], 16)
            if drawn % _HELD_OUT == 0 and len(held_out) < _MEASURED:
                held_out.append(text)
            elif drawn < argument.share * 16**13:
                tally.add("characters", len(text))
                if len(others) < _MEASURED:
                    others.append(text)
                yield pa.array([text], pa.large_string())

    spilled_runs(claim, argument.shard.key, base, learned_from())
    with ShardWriter(claim, f"{TASKS}/held_out/{argument.shard.key}.parquet", PASSING) as writer:
        learned = pa.array([False] * len(held_out) + [True] * len(others))
        writer.add(pa.table({"text": pa.array([*held_out, *others], pa.large_string()), "learned": learned}))
    return tally.to_json()


def _made(builder: Builder, settings: Tokenizer, folder: Path, base: Extendable, units: Units, characters: int) -> Made:
    budget = settings.most_new_tokens
    extension = extend(base, units(), budget, settings.min_count)
    if settings.add != "auto":
        return Made(folder, base, extension, None)
    # Nobody knows here how long training will be: only the gain decides.
    language = settings.languages[0]
    known = Known(
        {language: _held_out(builder)},
        settings.languages,
        frequent_units(base, units()),
        characters,
        BaseShape.of(folder),
        {},
        settings.init.pad_to_multiple,
        settings.auto.seen,
    )
    advice = recommend(points(base, extension, known), settings.auto)
    reason = f"{advice.reason} (how often training meets them is not known without a run file)"
    return Made(folder, base, extension.beginning(advice.add), Recommendation(advice.add, reason))


def _merged_units(builder: Builder) -> Units:
    """What gives the units of all shards, each once; the rarest go where there are too many."""
    runs = sorted((builder.dir / TASKS / "runs").glob("*.parquet"))

    def units() -> Iterator[pa.RecordBatch]:
        return merged([read_run(path) for path in runs])

    floor = floor_for(MOST_UNITS, units())
    return lambda: at_least(floor, units())


def _held_out(builder: Builder) -> list[str]:
    """Texts that nothing was learned from; of few documents none may be held out, and then those that were."""
    paths = sorted((builder.dir / TASKS / "held_out").glob("*.parquet"))
    rows = [row for path in paths for row in pq.read_table(path).to_pylist()]
    return [row["text"] for row in rows if not row["learned"]] or [row["text"] for row in rows]
