"""Band records on disk, and the links that they give."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.dedup.components import buckets_of, components
from corpus.dedup.records import PARTITIONS, Records, band_records, links, ranges, read_range, write_block

HASHES = st.lists(st.sampled_from([0, 1, 2**52 - 1, 2**52, 2**63, 2**64 - 1, 12345678901234567]), max_size=30)


def records_of(hashes: list[int]) -> Records:
    """Record n is of document n."""
    return np.array(hashes, np.uint64), np.arange(len(hashes), dtype=np.uint32)


def test_a_record_is_of_one_band_and_one_document_that_takes_part() -> None:
    hash_R, document_R = band_records(100, np.array([0, 3]), np.array([[7, 8], [9, 10]], np.uint64))
    assert hash_R.tolist() == [7, 8, 9, 10]
    assert document_R.tolist() == [100, 103, 100, 103]


@given(st.lists(HASHES, max_size=3), st.integers(1, 9))
@settings(max_examples=40)
def test_however_records_are_cut_the_links_are_the_same(
    tmp_path_factory: pytest.TempPathFactory, blocks: list[list[int]], pieces: int
) -> None:
    path = tmp_path_factory.mktemp("records") / "records.bin"
    everything: list[int] = []
    with open(path, "wb") as out:
        for block in blocks:
            hash_R, document_R = records_of(block)
            write_block(out, (hash_R, (document_R + len(everything)).astype(np.uint32)))
            everything += block
    cut = ranges(len(everything), max(1, len(everything) * 40 // pieces))
    assert cut[0][0] == 0
    assert cut[-1][1] == PARTITIONS
    found = {tuple(link) for first, last in cut for link in links(read_range(path, first, last)).tolist()}
    assert found == {
        (everything.index(value), row) for row, value in enumerate(everything) if everything.index(value) < row
    }


@given(st.lists(st.tuples(st.integers(0, 19), st.integers(0, 19)), max_size=25))
def test_components_are_what_is_linked_however_indirectly(pairs: list[tuple[int, int]]) -> None:
    link_E2 = np.array(sorted({(min(pair), max(pair)) for pair in pairs if pair[0] != pair[1]}), np.uint32).reshape(
        -1, 2
    )
    document_M, root_M = components(20, [link_E2[::2], link_E2[1::2]])
    reach = {row: {row} for row in range(20)}
    for _ in range(20):
        for one, other in link_E2.tolist():
            reach[one] |= reach[other]
            reach[other] |= reach[one]
    linked = sorted({row for link in link_E2.tolist() for row in link})
    assert document_M.tolist() == linked
    assert root_M.tolist() == [min(reach[row]) for row in linked]
    bucket_M = buckets_of(root_M, 3)
    for one, other in combinations(range(len(linked)), 2):
        if root_M[one] == root_M[other]:
            assert bucket_M[one] == bucket_M[other]


@pytest.mark.parametrize(("memory", "pieces"), [(4000, 1), (3999, 2), (400, 10), (0.5, PARTITIONS)])
def test_as_many_ranges_as_the_memory_asks_for(memory: float, pieces: int) -> None:
    assert len(ranges(100, memory)) == pieces


def test_where_there_are_many_records_every_worker_has_a_range() -> None:
    assert [len(ranges(records, 1e15, 4)) for records in (0, 999_999, 1_000_000, 10**8)] == [1, 1, 2, 4]
