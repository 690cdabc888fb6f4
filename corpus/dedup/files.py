"""Deduplication of files, without a run file: read, sign, find, write; texts stay as they are.

kept/KEY.parquet         documents that stay
dropped/KEY.parquet      the others, with reason and survivor
signatures/KEY.parquet   every document's signature; what a later corpus needs to know of this one
removed.jsonl            what goes: id, path and position, and the same of its survivor
quarantine.jsonl         what could not be read
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from configs.artifact import TASKS, Artifact, Builder, Claim, build
from configs.raw_input import find_files
from configs.schema.corpus import Limits, Source
from configs.schema.dedup import Dedup
from corpus.batch import SCHEMA, Batch, utf8_of
from corpus.cut import Shard, cut
from corpus.dedup.phases import find_duplicates, found_of
from corpus.dedup.signed import Signed, content_column, number, signature_column
from corpus.kernels.shingles import signatures
from corpus.named_files import named_files
from corpus.quarantine import write_quarantine
from corpus.read.open import read
from corpus.read.source import Reading
from corpus.shards import FAST, PASSING, RAW, ShardWriter, read_batches
from corpus.tally import Tally
from corpus.tasks import run_phase
from corpus.workers import Workers

KIND, VERSION = "dedup", 2
REMOVED = "removed.jsonl"


@dataclass(frozen=True)
class SignArgument:
    """A shard of files, how they are read, and how many values a signature has."""

    shard: Shard
    source: Source
    values: int


@dataclass(frozen=True)
class WriteArgument:
    """A shard, and where it stands what was found."""

    shard: Signed
    found: tuple[Path, ...]


def deduplicate_files(
    paths: Sequence[str], out: Path, settings: Dedup, workers: int, *, text_key: str = "text", id_key: str = "id"
) -> Artifact:
    """Deduplicate the documents of some files or folders, the earlier ones preferred.

    Args:
        out: the directory that is made, as the artifact protocol says; started again it goes on.
        id_key: field of a record that names it in `removed.jsonl`, where it has one.
    Raises:
        UserError: if a path does not exist, or the directory holds other work.
    """
    sources, raw = named_files(paths, Source(path="PATH", language="ja", text_key=text_key, meta_keys=(id_key,)))
    known = {
        f"against {at}": find_files(f"{one}/signatures", what="--against") for at, one in enumerate(settings.against)
    }
    config = {"dedup": settings.digested(), "text_key": text_key, "id_key": id_key}
    builder = build(out, kind=KIND, version=VERSION, config=config, inputs={**raw, **known})
    if builder.complete is not None:
        return builder.complete
    values = settings.bands * settings.rows
    shards = {shard.key: shard for shard in cut(sources, raw, Limits().task_bytes)}
    signing = {
        key: (SignArgument(shard, sources[shard.pieces[0].source], values), shard.bytes)
        for key, shard in shards.items()
    }
    files = {key: (out / _documents_path(key), out / _signatures_path(key)) for key in shards}
    with Workers(workers) as processes:
        read_in = run_phase(builder, "sign", sign_shard, signing, processes)
        signed, fixed = number([Path(one) for one in settings.against], files, values)
        found = tuple(find_duplicates(builder, signed, fixed, settings, processes))
        ours = [shard for shard in signed if shard.documents is not None]
        writing = {shard.key: (WriteArgument(shard, found), shards[shard.key].bytes) for shard in ours}
        written = run_phase(builder, "write", write_shard, writing, processes)
    _write_removed(builder, ours, id_key)
    tally = Tally()
    for result in [*read_in.values(), *written.values()]:
        tally.merge(Tally.from_json(result))
    names = ("documents", "kept", "duplicate_exact", "duplicate_near")
    write_quarantine(builder, tally)
    return builder.finish({**{name: tally.counts[name] for name in names}, "quarantined": len(tally.quarantine)})


def sign_shard(claim: Claim, argument: SignArgument) -> dict[str, Any]:
    """Read a shard, and write its documents, as they are, and their signatures; gives the tally."""
    shard, tally = argument.shard, Tally()
    with (
        ShardWriter(claim, _documents_path(shard.key), PASSING) as documents,
        ShardWriter(claim, _signatures_path(shard.key), RAW) as signed,
    ):
        for piece in shard.pieces:
            for batch in read(Reading(piece, argument.source, Limits(), tally, {})):
                tally.add("documents", batch.num_rows)
                documents.add(_with_digests(batch))
                signature = signature_column(signatures(*utf8_of(batch.column("text")), argument.values))
                signed.add(pa.table({"id": batch.column("id"), "signature": signature}))
    return tally.to_json()


def _with_digests(batch: Batch) -> pa.Table:
    table = pa.Table.from_batches([batch]).append_column("reason", pa.nulls(batch.num_rows, pa.string()))
    return table.append_column("content", content_column(batch.column("text")))


def write_shard(claim: Claim, argument: WriteArgument) -> dict[str, Any]:
    """Write what stays of a shard and what goes; gives the tally."""
    shard, tally, first = argument.shard, Tally(), 0
    found = found_of(argument.found, shard)
    survivor: list[str | None] = [None] * shard.rows
    exact = [False] * shard.rows
    for row, said in found.items():
        survivor[row], exact[row] = said["survivor"], said["exact"]
    assert shard.documents is not None
    with (
        ShardWriter(claim, f"kept/{shard.key}.parquet", FAST) as kept,
        ShardWriter(claim, f"dropped/{shard.key}.parquet", FAST) as dropped,
    ):
        for batch in read_batches([shard.documents], SCHEMA.names):
            rows = slice(first, first + batch.num_rows)
            first += batch.num_rows
            survivors = pa.array(survivor[rows], pa.string())
            stays = pc.is_null(survivors)
            kept.add(batch.filter(stays))
            reason = pc.if_else(pa.array(exact[rows]), "duplicate_exact", "duplicate_near")
            gone = pa.Table.from_batches([batch]).append_column("reason", reason).append_column("survivor", survivors)
            dropped.add(gone.filter(pc.invert(stays)))
            tally.add("kept", pc.sum(stays).as_py())
    tally.add("duplicate_exact", sum(exact))
    tally.add("duplicate_near", sum(one is not None for one in survivor) - sum(exact))
    return tally.to_json()


def _write_removed(builder: Builder, shards: Sequence[Signed], id_key: str) -> None:
    """Name what goes and its survivor; survivors of an existing corpus by their ids alone."""
    removed = [row for shard in shards for row in _places(builder.dir / f"dropped/{shard.key}.parquet", id_key)]
    wanted = pa.array(sorted({row["survivor"] for row in removed}), pa.string())
    places: dict[str, dict[str, Any]] = defaultdict(dict)
    for shard in shards if removed else ():
        for batch in read_batches([builder.dir / f"kept/{shard.key}.parquet"], ["id", "path", "position", "meta"]):
            for row in batch.filter(pc.is_in(batch.column("id"), value_set=wanted)).to_pylist():
                places[row["id"]] = {"id": _name(row, id_key), "path": row["path"], "position": row["position"]}
    with builder.file(REMOVED) as out:
        for row in removed:
            survivor = places.get(row["survivor"], {"id": row["survivor"]})
            said = {key: row[key] for key in ("id", "path", "position", "reason")}
            said |= {"survivor": survivor["id"], "survivor_path": survivor.get("path")}
            said |= {"survivor_position": survivor.get("position")}
            out.write((json.dumps(said, ensure_ascii=False) + "\n").encode())


def _places(path: Path, id_key: str) -> Iterator[dict[str, Any]]:
    columns = ["id", "path", "position", "meta", "reason", "survivor"]
    for batch in read_batches([path], columns):
        for row in batch.to_pylist():
            yield {**row, "id": _name(row, id_key)}


def _name(row: dict[str, Any], id_key: str) -> Any:
    """The record's own id, else the one that its place gives it."""
    own = json.loads(row["meta"]).get(id_key) if row["meta"] else None
    return row["id"] if own is None else own


def _documents_path(key: str) -> str:
    return f"{TASKS}/documents/{key}.parquet"


def _signatures_path(key: str) -> str:
    return f"signatures/{key}.parquet"
