"""Lines of many documents, counted in shards and merged range by range: what a plain count over everything says."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from configs.artifact import Builder, Claim, build
from configs.schema.dedup import RepeatedLines
from corpus.line_task import find_repeated, ranges_of, repeated_lines

LINES = RepeatedLines(min_documents=3)


@pytest.fixture
def builder(tmp_path: Path) -> Builder:
    """Of a corpus in the making."""
    return build(tmp_path / "corpus", kind="corpus", version=1, config={}, inputs={})


def claimed(builder: Builder, key: str) -> Claim:
    """The right to do a task that nobody has done."""
    claim = builder.task(key)
    assert isinstance(claim, Claim)
    return claim


def shards_with_lines(builder: Builder, shards: int) -> Counter[int]:
    """Shards of which each has some lines in one to three documents, the last one none; gives their sums."""
    random, sums = np.random.default_rng(1), Counter[int]()
    for number in range(shards):
        hashes = np.unique(random.choice(np.linspace(0, 2**63, 60).astype(np.uint64) * 2, 25 * (number < shards - 1)))
        hashes = np.append(hashes, np.uint64(2**64 - 1)) if hashes.size else hashes
        documents = random.integers(1, 4, hashes.size).astype(np.uint32)
        with claimed(builder, f"count-{number}").file(f".tasks/lines/web-{number}.bin") as out:
            out.write(hashes)
            out.write(documents)
        sums.update(dict(zip(hashes.tolist(), documents.tolist(), strict=True)))
    return sums


@pytest.mark.parametrize(("memory_bytes", "pieces"), [(1e9, 1), (8_000, 2), (900, 16)])
def test_a_line_goes_if_it_stands_in_enough_documents_of_all_shards_in_however_many_ranges(
    builder: Builder, memory_bytes: float, pieces: int
) -> None:
    sums = shards_with_lines(builder, 6)
    keys = tuple(f"web-{number}" for number in range(6))
    ranges = list(ranges_of("web", keys, 180, LINES, memory_bytes))
    for one in ranges:
        find_repeated(claimed(builder, one.name), one)
    assert len(ranges) == pieces
    found = repeated_lines(builder.dir, [one.name for one in ranges]).tolist()
    assert found == sorted(line for line, documents in sums.items() if documents >= 3)
    assert 0 < len(found) < len(sums)


def test_a_source_without_lines_has_none_that_go(builder: Builder) -> None:
    shards_with_lines(builder, 1)
    (only,) = ranges_of("web", ("web-0",), 0, LINES, 1e9)
    find_repeated(claimed(builder, "r"), only)
    assert repeated_lines(builder.dir, [only.name]).size == 0
    assert repeated_lines(builder.dir, []).size == 0


@pytest.mark.parametrize(("counted", "workers", "pieces"), [(999_999, 8, 1), (1_000_000, 8, 2), (10**9, 8, 8)])
def test_where_there_are_many_lines_every_worker_has_a_range(counted: int, workers: int, pieces: int) -> None:
    ranges = list(ranges_of("web", ("web-0",), counted, LINES, 1e15, workers))
    assert len(ranges) == pieces
    assert [one.last for one in ranges[:-1]] == [one.first for one in ranges[1:]]


def test_ranges_of_another_number_have_other_names() -> None:
    one, two = (ranges_of("web", ("web-0",), 10**6, LINES, 1e9, workers) for workers in (1, 2))
    assert not {each.name for each in one} & {each.name for each in two}
