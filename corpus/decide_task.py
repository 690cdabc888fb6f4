"""The tasks that decide: what goes as a duplicate, shard by shard, and the held-out split of each source.

.tasks/decided/KEY.parquet    of every document of a shard: its reason, its survivor if it is a duplicate, its place
.tasks/places/KEY.bin         the smallest places of a shard
.tasks/places/bounds.json     by source, the place below which a document without a reason is held out
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from configs.artifact import TASKS, Claim
from configs.atomic_file import canonical_json, read_json
from configs.schema.corpus import HeldOut
from corpus.batch import SCHEMA
from corpus.dedup.phases import found_of
from corpus.dedup.signed import Signed
from corpus.measure_task import measured_path
from corpus.shards import ShardWriter, read_batches
from corpus.split import chosen_places, held_out_bound, held_out_place

EXACT, NEAR, HELD_OUT = "duplicate_exact", "duplicate_near", "held_out"
_BOUNDS = f"{TASKS}/places/bounds.json"


@dataclass(frozen=True)
class DecideArgument:
    """A shard, where it stands what deduplication found, and how many documents are held out."""

    shard: Signed
    found: tuple[Path, ...]
    held_out: HeldOut
    seed: int


@dataclass(frozen=True)
class BoundArgument:
    """The shards of each source."""

    keys: Mapping[str, tuple[str, ...]]
    held_out: HeldOut


def decided_path(key: str) -> str:
    """Where the decisions about a shard's documents are."""
    return f"{TASKS}/decided/{key}.parquet"


def decide_shard(claim: Claim, argument: DecideArgument) -> None:
    """Give duplicates their reason, and to what stays the place that says whether it is held out."""
    shard, seed = argument.shard, argument.seed
    table = pq.read_table(shard.documents, columns=["id", "reason"])
    reason: list[str | None] = table.column("reason").to_pylist()
    cluster: list[str] = table.column("id").to_pylist()
    survivor: list[str | None] = [None] * len(reason)
    for row, said in found_of(argument.found, shard).items():
        cluster[row] = said["cluster"]
        if said["survivor"] is not None:
            survivor[row] = said["survivor"]
            reason[row] = EXACT if said["exact"] else NEAR
    place = [held_out_place(seed, name) if word is None else None for word, name in zip(reason, cluster, strict=True)]
    columns = {"reason": pa.array(reason, pa.string()), "survivor": pa.array(survivor, pa.string())}
    with ShardWriter(claim, decided_path(shard.key)) as writer:
        writer.add(pa.table({**columns, "place": pa.array(place, pa.float64())}))
    with claim.file(_places_path(shard.key)) as out:
        chosen = chosen_places((one for one in place if one is not None), argument.held_out)
        out.write(np.array(chosen, np.float64))


def bound_held_out(claim: Claim, argument: BoundArgument) -> None:
    """Write below which place a document of each source is held out."""
    bounds = {}
    for source, keys in argument.keys.items():
        places = (place for key in keys for place in np.fromfile(claim.dir / _places_path(key)).tolist())
        bounds[source] = held_out_bound(places, argument.held_out)
    with claim.file(_BOUNDS) as out:
        out.write(canonical_json(bounds))


def with_decisions(directory: Path, key: str) -> Iterator[pa.RecordBatch]:
    """The documents of a shard with the final reason and survivor."""
    columns = SCHEMA.names
    if not (directory / measured_path(key)).exists():
        return
    decisions = _decisions(directory, key)
    first = 0
    for batch in read_batches([directory / measured_path(key)], columns):
        here = decisions.slice(first, batch.num_rows)
        first += batch.num_rows
        arrays = [*batch.columns, *(column.combine_chunks() for column in here.columns)]
        yield pa.RecordBatch.from_arrays(arrays, names=[*columns, "reason", "survivor"])


def _decisions(directory: Path, key: str) -> pa.Table:
    table = pq.read_table(directory / decided_path(key)).combine_chunks()
    bound = read_json(directory / _BOUNDS)[key.rsplit("-", 1)[0]]
    held_out = pc.fill_null(pc.less(table.column("place"), bound), False)
    reason = pc.if_else(held_out, HELD_OUT, table.column("reason"))
    return pa.table({"reason": reason, "survivor": table.column("survivor")}).combine_chunks()


def _places_path(key: str) -> str:
    return f"{TASKS}/places/{key}.bin"
