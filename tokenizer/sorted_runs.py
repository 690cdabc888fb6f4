"""Counts of units on disk: sorted runs, each a Parquet file, and their merge in memory that does not grow with them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from configs.artifact import TASKS, Claim
from corpus.shards import PASSING, ShardWriter
from tokenizer.extendable import Extendable
from tokenizer.phrases import Between
from tokenizer.units import UNIT_BYTES, UNITS, UnitCounter

MOST_UNITS, MOST_TOKENS = 8_000_000, 40_000_000
"""Of so many different units, and tokens in them, one can learn in 4 GB of memory; 1 GB of Japanese has fewer."""

# Rows of each run that are held at once.
_ROWS = 1 << 14


def spilled_runs(
    claim: Claim, name: str, base: Extendable, texts: Iterable[pa.LargeStringArray], boundaries: Between
) -> list[str]:
    """Count the units of texts, and write a run whenever the counts fill the memory, and at the end.

    Returns:
        The names of the runs, which pass away with the builder's tasks.
    """
    runs: list[str] = []

    def spill(units: pa.RecordBatch) -> None:
        runs.append(f"{TASKS}/runs/{name}-{len(runs):05}.parquet")
        with ShardWriter(claim, runs[-1], PASSING) as writer:
            writer.add(units)

    counter = UnitCounter(base, spill, boundaries=boundaries)
    for text in texts:
        counter.add(text)
    last = counter.take()
    if last.num_rows:
        spill(last)
    return runs


def read_run(path: Path) -> Iterator[pa.RecordBatch]:
    """The rows of a run, in order."""
    with pq.ParquetFile(path) as file:
        yield from file.iter_batches(batch_size=_ROWS)


def merged(runs: Sequence[Iterable[pa.RecordBatch]]) -> Iterator[pa.RecordBatch]:
    """One run of several: the counts of equal units are added up.

    Args:
        runs: units and counts, each in the order of units and without a unit twice.
    """
    heads = [_Head(run) for run in runs]
    while heads := [head for head in heads if head.filled()]:
        # Up to the least of the last units in memory, nothing is missing; one head at least is used up.
        bound = min(head.last for head in heads)
        rows = pa.Table.from_batches([head.taken(bound) for head in heads], UNITS)
        added = rows.group_by("unit").aggregate([("count", "sum")]).sort_by("unit")
        yield from added.rename_columns({"count_sum": "count"}).select(UNITS.names).to_batches()


class _Head:
    """The rows of a run that come next."""

    def __init__(self, run: Iterable[pa.RecordBatch]) -> None:
        self._run = iter(run)
        self._rows = pa.RecordBatch.from_pylist([], UNITS)

    def filled(self) -> bool:
        """Whether there are any, after reading more where there were none."""
        while not self._rows.num_rows:
            following = next(self._run, None)
            if following is None:
                return False
            self._rows = following
        return True

    @property
    def last(self) -> bytes:
        unit: bytes = self._rows.column("unit")[-1].as_py()
        return unit

    def taken(self, bound: bytes) -> pa.RecordBatch:
        """Those up to a unit, which are gone then."""
        count = pc.sum(pc.less_equal(self._rows.column("unit"), bound)).as_py()
        taken, self._rows = self._rows.slice(0, count), self._rows.slice(count)
        return taken


@dataclass(frozen=True)
class Floor:
    """Which units are kept."""

    least: int
    """Count of the rarest of them; 1 if all are kept."""
    units: int
    """How many they are."""


def floor_for(batches: Iterable[pa.RecordBatch], most_units: int = MOST_UNITS, most_tokens: int = MOST_TOKENS) -> Floor:
    """The least count of which, and above, there are at most so many units, and tokens in them."""
    with_count: Counter[int] = Counter()
    tokens_with: Counter[int] = Counter()
    for batch in batches:
        tokens = pc.divide(pc.binary_length(batch.column("unit")), UNIT_BYTES)
        rows = pa.table({"count": batch.column("count"), "tokens": tokens}).group_by("count")
        for one in rows.aggregate([("tokens", "count"), ("tokens", "sum")]).to_pylist():
            with_count[one["count"]] += one["tokens_count"]
            tokens_with[one["count"]] += one["tokens_sum"]
    units = tokens = 0
    for count in sorted(with_count, reverse=True):
        tokens += tokens_with[count]
        if units + with_count[count] > most_units or tokens > most_tokens:
            return Floor(count + 1, units)
        units += with_count[count]
    return Floor(1, units)


def at_least(floor: int, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The rows of units that are frequent enough."""
    for batch in batches:
        yield batch.filter(pc.greater_equal(batch.column("count"), floor))


def in_groups(batches: Iterable[pa.RecordBatch], rows: int) -> Iterator[pa.Table]:
    """The same rows, so many at a time, but for the last."""
    held = UNITS.empty_table()
    for batch in batches:
        held = pa.concat_tables([held, pa.Table.from_batches([batch])])
        while held.num_rows >= rows:
            yield held.slice(0, rows).combine_chunks()
            held = held.slice(rows)
    if held.num_rows:
        yield held.combine_chunks()
