"""Reading of files alone, without a run file: what each is, by which encoding it was read, and what could not be.

documents/KEY.parquet   the documents, as a corpus has them before anything is changed
files.jsonl             of every file: its format, documents by encoding, and what was put aside with place and reason
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from configs.artifact import Artifact, Claim, build
from configs.schema.corpus import Limits, Source
from corpus.cut import Shard, cut
from corpus.named_files import named_files
from corpus.read.open import format_of, read
from corpus.read.source import Reading
from corpus.shards import ShardWriter
from corpus.tally import Tally
from corpus.tasks import run_phase

KIND, VERSION = "decoded", 2
FILES = "files.jsonl"


@dataclass(frozen=True)
class DecodeArgument:
    """A shard of files and how they are read."""

    shard: Shard
    source: Source
    limits: Limits


def decode_files(paths: Sequence[str], out: Path, source: Source, workers: int) -> Artifact:
    """Read the documents of some files or folders.

    Args:
        out: the directory that is made, as the artifact protocol says; started again it goes on.
        source: how the files are read; its path is not looked at.
    Raises:
        UserError: if a path does not exist, or the directory holds other work.
    """
    # Nobody's training data hangs on it: a folder of which nothing can be read is an answer too.
    limits = Limits(max_bad_share=1)
    sources, raw = named_files(paths, source)
    how = {**source.digested(), "path": None}
    builder = build(
        out, kind=KIND, version=VERSION, config={"source": how, "limits": limits.digested()}, inputs={**raw}
    )
    if builder.complete is not None:
        return builder.complete
    shards = cut(sources, raw, limits.task_bytes)
    work = {
        shard.key: (DecodeArgument(shard, sources[shard.pieces[0].source], limits), shard.bytes) for shard in shards
    }
    results = run_phase(builder, "decode", decode_shard, work, workers)
    files = list(_by_file(results.values()))
    with builder.file(FILES) as lines:
        for one in files:
            lines.write((json.dumps(one, ensure_ascii=False) + "\n").encode())
    encodings: Counter[str] = sum((Counter(one["encodings"]) for one in files), Counter())
    return builder.finish(
        {
            "files": len(files),
            "documents": encodings.total(),
            "put_aside": sum(len(one["put_aside"]) for one in files),
            "encodings": dict(sorted(encodings.items())),
        }
    )


def decode_shard(claim: Claim, argument: DecodeArgument) -> list[dict[str, Any]]:
    """Write the documents of a shard; gives what became of each piece."""
    shard, found = argument.shard, []
    with ShardWriter(claim, f"documents/{shard.key}.parquet") as documents:
        for piece in shard.pieces:
            encodings: Counter[str] = Counter()
            reading = Reading(piece, argument.source, argument.limits, Tally())
            for batch in read(reading):
                documents.add(batch)
                encodings.update(batch.column("encoding").to_pylist())
            aside = [
                {"path": one.path, "position": one.position, "reason": one.reason, "detail": one.detail}
                for one in reading.tally.quarantine
            ]
            found.append(
                {
                    "path": str(piece.path),
                    "format": format_of(argument.source, piece.name),
                    "encodings": dict(encodings),
                    "put_aside": aside,
                }
            )
    return found


def _by_file(results: Any) -> Iterator[dict[str, Any]]:
    """The pieces of a large file as one, in the order of the files."""
    files: dict[str, dict[str, Any]] = {}
    for piece in (piece for result in results for piece in result):
        known = files.setdefault(piece["path"], {**piece, "encodings": {}, "put_aside": []})
        known["encodings"] = dict(sorted((Counter(known["encodings"]) + Counter(piece["encodings"])).items()))
        known["put_aside"] += piece["put_aside"]
    for one in files.values():
        yield {**one, "encoding": _single(one["encodings"]), "documents": sum(one["encodings"].values())}


def _single(encodings: Mapping[str, int]) -> str | None:
    """The encoding of a file; none where there is none, or several."""
    return next(iter(encodings)) if len(encodings) == 1 else None
