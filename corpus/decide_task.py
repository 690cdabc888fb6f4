"""The task for the whole corpus: what goes as a duplicate, and the held-out split. A shard is in memory at a time.

.tasks/decided/KEY.parquet    for every document of a shard: its reason, and its survivor if it is a duplicate
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from configs.artifact import TASKS, Claim
from configs.schema.corpus import HeldOut
from corpus.batch import SCHEMA
from corpus.dedup.phases import found_of
from corpus.dedup.signed import Signed
from corpus.measure_task import measured_path
from corpus.shards import ShardWriter, read_batches
from corpus.split import held_out_bound, held_out_place

EXACT, NEAR, HELD_OUT = "duplicate_exact", "duplicate_near", "held_out"


@dataclass(frozen=True)
class DecideArgument:
    """All shards, in the order of preference, and where it stands what deduplication found."""

    shards: tuple[Signed, ...]
    found: tuple[Path, ...]
    held_out: HeldOut
    seed: int


def decided_path(key: str) -> str:
    """Where the decisions about a shard's documents are."""
    return f"{TASKS}/decided/{key}.parquet"


@dataclass(frozen=True)
class _Decided:
    """The documents of a shard, in order."""

    reason: list[str | None]
    survivor: list[str | None]
    cluster: list[str]

    def staying(self) -> Iterator[str]:
        """Clusters of the documents that stay."""
        return (cluster for reason, cluster in zip(self.reason, self.cluster, strict=True) if reason is None)


def decide_all(claim: Claim, argument: DecideArgument) -> dict[str, Any]:
    """Give duplicates their reason, then hold some of the others out.

    Returns:
        How many documents each decision met.
    """
    of_source: dict[str, list[Signed]] = defaultdict(list)
    for shard in argument.shards:
        of_source[shard.key.rsplit("-", 1)[0]].append(shard)
    met: Counter[str | None] = Counter()
    for shards in of_source.values():
        kept = (cluster for shard in shards for cluster in _decided(shard, argument.found).staying())
        bound = held_out_bound(kept, argument.seed, argument.held_out)
        for shard in shards:
            decided = _decided(shard, argument.found)
            reason = [
                HELD_OUT if word is None and held_out_place(argument.seed, cluster) < bound else word
                for word, cluster in zip(decided.reason, decided.cluster, strict=True)
            ]
            met.update(reason)
            with ShardWriter(claim, decided_path(shard.key)) as writer:
                survivor = pa.array(decided.survivor, pa.string())
                writer.add(pa.table({"reason": pa.array(reason, pa.string()), "survivor": survivor}))
    return {word: met[word] for word in (EXACT, NEAR, HELD_OUT)}


def _decided(shard: Signed, found: tuple[Path, ...]) -> _Decided:
    table = pq.read_table(shard.documents, columns=["id", "reason"])
    reason: list[str | None] = table.column("reason").to_pylist()
    cluster: list[str] = table.column("id").to_pylist()
    survivor: list[str | None] = [None] * len(reason)
    for row, said in found_of(found, shard).items():
        cluster[row] = said["cluster"]
        if said["survivor"] is not None:
            survivor[row] = said["survivor"]
            reason[row] = EXACT if said["exact"] else NEAR
    return _Decided(reason, survivor, cluster)


def with_decisions(directory: Path, key: str) -> Iterator[pa.RecordBatch]:
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
