"""Deduplication in tasks, in bounded memory.

.tasks/bands/BUNDLE.bin                 band records of some shards, sorted, with offsets
.tasks/links/FIRST-LAST.bin             for a range of hashes: pairs of documents that share a band
.tasks/components.bin                   which documents are linked, and the smallest of each set
.tasks/candidates/BUCKETS/BUNDLE.arrow  the linked documents of some shards by bucket
.tasks/near/BUCKETS/BUCKET.parquet      what is found of the documents of a bucket

What is found depends on neither the ranges nor the buckets, which the memory decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from configs.artifact import TASKS, Builder, Claim
from configs.schema.dedup import Dedup
from corpus.dedup.bands import hash_bands
from corpus.dedup.candidates import candidates_of, decide_bucket, write_buckets
from corpus.dedup.components import buckets_of, components
from corpus.dedup.records import PARTITIONS, band_records, links, ranges, read_range, write_block
from corpus.dedup.signed import Signed
from corpus.kernels.shingles import UInt32
from corpus.shards import ShardWriter
from corpus.tasks import run_phase
from corpus.workers import Workers

COMPONENTS = f"{TASKS}/components.bin"
_BUNDLE_BYTES, _MOST_FILES = 100_000_000, 2_000
_SIGNATURE_BYTES = 1_000  # of one document, about
_BLOCK_DOCUMENTS = 65_536
# Signature, groups and Python's bookkeeping of a candidate; its text and two forms of its shingles, per byte of text.
_CANDIDATE_BYTES, _PER_TEXT_BYTE = 5_000, 7


@dataclass(frozen=True)
class Bundle:
    """Shards whose records go into one file."""

    name: str
    shards: tuple[Signed, ...]


@dataclass(frozen=True)
class BandsArgument:
    """A bundle, and the bands."""

    bundle: Bundle
    settings: Dedup


@dataclass(frozen=True)
class LinksArgument:
    """A range of partitions of all files of records."""

    names: tuple[str, ...]
    first: int
    last: int


@dataclass(frozen=True)
class ComponentsArgument:
    """All links, and how many documents there are."""

    names: tuple[str, ...]
    documents: int


@dataclass(frozen=True)
class CandidatesArgument:
    """A bundle, and into how many buckets its candidates go."""

    bundle: Bundle
    buckets: int


@dataclass(frozen=True)
class BucketArgument:
    """One bucket of the candidates of some bundles."""

    names: tuple[str, ...]
    buckets: int
    bucket: int
    settings: Dedup
    fixed: int


def find_duplicates(
    builder: Builder, shards: Sequence[Signed], fixed: int, settings: Dedup, workers: Workers
) -> list[Path]:
    """Find what goes, and what belongs together.

    Args:
        shards: in the order of preference.
        fixed: so many documents, the first, belong to an existing corpus.
    Returns:
        Parquet files of `candidates.FOUND`, in the builder's directory.
    """
    memory = settings.memory_gb * 1e9 / workers.count
    bundles = _bundles(shards)
    names = tuple(bundles)
    total = sum(size for _, size in bundles.values())
    bands = {name: (BandsArgument(bundle, settings), size) for name, (bundle, size) in bundles.items()}
    spilled = run_phase(builder, "bands", spill_bands, bands, workers)
    pieces = ranges(sum(spilled.values()), memory, workers.count)
    linking = {f"{first:04d}-{last:04d}": LinksArgument(names, first, last) for first, last in pieces}
    run_phase(builder, "links", link_range, {key: (one, total // len(pieces)) for key, one in linking.items()}, workers)
    documents = sum(shard.rows for shard in shards)
    joining = {"all": (ComponentsArgument(tuple(linking), documents), total)}
    linked = run_phase(builder, "components", join_links, joining, workers)["all"]
    buckets = max(_bucket_count(linked, total / max(documents, 1), memory), min(workers.count, len(names)))
    gathering = {
        f"{buckets}-{name}": (CandidatesArgument(bundle, buckets), size) for name, (bundle, size) in bundles.items()
    }
    gathered = run_phase(builder, "candidates", gather_candidates, gathering, workers)
    names = tuple(name for name in names if gathered[f"{buckets}-{name}"])
    deciding = {
        f"{buckets}-{bucket}": (BucketArgument(names, buckets, bucket, settings, fixed), total // buckets)
        for bucket in range(buckets)
    }
    run_phase(builder, "near", find_in_bucket, deciding, workers)
    paths = (builder.dir / _near_path(buckets, bucket) for bucket in range(buckets))
    return [path for path in paths if path.exists()]


def _bundles(shards: Sequence[Signed]) -> dict[str, tuple[Bundle, int]]:
    """Bundles by name, with their bytes: no small ones, and at most so many, whatever the number of shards."""
    sizes = [shard.text_bytes for shard in shards]
    enough = max(_BUNDLE_BYTES, sum(sizes) // _MOST_FILES)
    bundles: dict[str, tuple[Bundle, int]] = {}
    bundle: list[Signed] = []
    size = 0
    for at, (shard, bytes_) in enumerate(zip(shards, sizes, strict=True), start=1):
        bundle.append(shard)
        size += bytes_ + shard.rows * _SIGNATURE_BYTES
        if size >= enough or at == len(shards):
            bundles[bundle[0].key] = (Bundle(bundle[0].key, tuple(bundle)), size)
            bundle, size = [], 0
    return bundles


def _bucket_count(linked: int, bytes_per_document: float, memory: float) -> int:
    needed = linked * (_CANDIDATE_BYTES + _PER_TEXT_BYTE * bytes_per_document)
    return min(PARTITIONS, max(1, -int(-needed // memory)))


def spill_bands(claim: Claim, argument: BandsArgument) -> int:
    """Write the records of the documents that take part; gives how many."""
    records = 0
    with claim.file(_bands_path(argument.bundle.name)) as out:
        for shard in argument.bundle.shards:
            passing, first = shard.passing(), 0
            for signature_NK in shard.signature_blocks(_BLOCK_DOCUMENTS):
                start, end = np.searchsorted(passing, (first, first + len(signature_NK)))
                here = passing[start:end]
                hash_BN = hash_bands(signature_NK[here - first], argument.settings.bands, argument.settings.rows)
                write_block(out, band_records(shard.first, here, hash_BN))
                records += hash_BN.size
                first += len(signature_NK)
    return records


def link_range(claim: Claim, argument: LinksArgument) -> None:
    """Write the links of a range of partitions."""
    blocks = (
        block
        for name in argument.names
        for block in read_range(claim.dir / _bands_path(name), argument.first, argument.last)
    )
    with claim.file(_links_path(f"{argument.first:04d}-{argument.last:04d}")) as out:
        out.write(links(blocks).ravel())


def join_links(claim: Claim, argument: ComponentsArgument) -> int:
    """Write the linked documents and the smallest of each one's set; gives how many are linked."""
    found = (np.fromfile(claim.dir / _links_path(name), np.uint32).reshape(-1, 2) for name in argument.names)
    document_M, root_M = components(argument.documents, found)
    with claim.file(COMPONENTS) as out:
        out.write(document_M)
        out.write(root_M)
    return int(document_M.size)


def gather_candidates(claim: Claim, argument: CandidatesArgument) -> int:
    """Write the linked documents of a bundle; gives how many there are."""
    document_M, root_M = _linked(claim.dir)
    shards = argument.bundle.shards
    start, end = np.searchsorted(document_M, (shards[0].first, shards[-1].first + shards[-1].rows))
    if start < end:
        tables = []
        for shard in shards:
            here = slice(*np.searchsorted(document_M, (shard.first, shard.first + shard.rows)))
            if here.start < here.stop:
                tables.append(candidates_of(shard, document_M[here]))
        with claim.file(_candidates_path(argument.buckets, argument.bundle.name)) as out:
            bucket_M = buckets_of(root_M[start:end], argument.buckets)
            write_buckets(out, pa.concat_tables(tables), bucket_M, argument.buckets)
    return int(end - start)


def _linked(directory: Path) -> tuple[UInt32, UInt32]:
    if (directory / COMPONENTS).stat().st_size == 0:
        return np.empty(0, np.uint32), np.empty(0, np.uint32)
    both = np.memmap(directory / COMPONENTS, np.uint32, "r").reshape(2, -1)
    return both[0], both[1]


def find_in_bucket(claim: Claim, argument: BucketArgument) -> int:
    """Write what is found in a bucket; gives of how many documents."""
    paths = [claim.dir / _candidates_path(argument.buckets, name) for name in argument.names]
    found = decide_bucket(paths, argument.bucket, argument.settings, argument.fixed)
    with ShardWriter(claim, _near_path(argument.buckets, argument.bucket)) as writer:
        writer.add(found)
    return int(found.num_rows)


def found_of(paths: Sequence[Path], shard: Signed) -> dict[int, dict[str, Any]]:
    """What was found of the documents of one shard, by row."""
    rows = [("document", ">=", shard.first), ("document", "<", shard.first + shard.rows)]
    found = (row for path in paths for row in pq.read_table(path, filters=rows).to_pylist())
    return {row["document"] - shard.first: row for row in found}


def _bands_path(name: str) -> str:
    return f"{TASKS}/bands/{name}.bin"


def _links_path(name: str) -> str:
    return f"{TASKS}/links/{name}.bin"


def _candidates_path(buckets: int, name: str) -> str:
    return f"{TASKS}/candidates/{buckets}/{name}.arrow"


def _near_path(buckets: int, bucket: int) -> str:
    return f"{TASKS}/near/{buckets}/{bucket:04d}.parquet"
