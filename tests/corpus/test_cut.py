"""Cutting into tasks: every record once, whatever the size; records are never cut."""

from __future__ import annotations

import gzip
import json
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from configs.raw_input import find_files
from configs.schema.corpus import Source
from corpus.cut import Shard, cut
from corpus.read.source import Piece

if TYPE_CHECKING:
    from tests.corpus.conftest import Desk


def shards_of(desk: Desk, task_bytes: int, **source: Any) -> list[Shard]:
    """The tasks of everything on the desk."""
    settings = Source(path=str(desk.root), language="ja", **source)
    return cut({"mail": settings}, {"mail": find_files(str(desk.root), what="mail")}, task_bytes)


def pieces_of(shards: list[Shard]) -> list[list[tuple[str, int, int]]]:
    """Names and bounds, task by task."""
    return [[(piece.name, piece.start, piece.end) for piece in shard.pieces] for shard in shards]


@pytest.mark.parametrize(
    ("task_bytes", "bundles"),
    [
        pytest.param(100, [["a.txt", "b.txt"], ["c.txt"]], id="40 + 60 fit exactly"),
        pytest.param(99, [["a.txt"], ["b.txt"], ["c.txt"]], id="one byte less"),
        pytest.param(30, [["a.txt"], ["b.txt"], ["c.txt"]], id="all are larger"),
        pytest.param(1000, [["a.txt", "b.txt", "c.txt"]], id="all fit"),
    ],
)
def test_small_files_are_bundled(desk: Desk, task_bytes: int, bundles: list[list[str]]) -> None:
    for name, size in (("a.txt", 40), ("b.txt", 60), ("c.txt", 70)):
        desk.put(name, "x" * size)
    shards = shards_of(desk, task_bytes)
    assert [[piece.name for piece in shard.pieces] for shard in shards] == bundles
    assert [shard.key for shard in shards] == [f"mail-{n:05d}" for n in range(len(bundles))]
    assert sum(shard.bytes for shard in shards) == 170


RECORDS = "".join(json.dumps({"text": f"第{n}号" * (n % 5)}, ensure_ascii=False) + "\n" for n in range(20)).encode()


@pytest.mark.parametrize("task_bytes", [1, 10, 37, 100, 300])
def test_a_large_jsonl_is_cut_where_records_end(desk: Desk, task_bytes: int) -> None:
    desk.put("a.jsonl", RECORDS)
    (pieces,) = zip(*pieces_of(shards_of(desk, task_bytes)), strict=True)
    assert len(pieces) > 1
    assert (pieces[0][1], pieces[-1][2]) == (0, len(RECORDS))
    assert all(before[2] == after[1] for before, after in pairwise(pieces))
    assert all(RECORDS[end - 1 : end] == b"\n" for _, _, end in pieces)


@pytest.mark.parametrize(
    ("task_bytes", "ends"),
    [(20, [20, 40, 50]), (19, [20, 40, 50]), (21, [30, 50]), (10, [10, 20, 30, 40, 50]), (49, [50])],
)
def test_a_cut_falls_on_the_first_record_end_from_the_size_on(desk: Desk, task_bytes: int, ends: list[int]) -> None:
    desk.put("a.jsonl", b'{"t": 10}\n' * 5)
    assert [piece[0][2] for piece in pieces_of(shards_of(desk, task_bytes))] == ends


@pytest.mark.parametrize(
    ("name", "content"),
    [
        pytest.param("a.txt", RECORDS, id="text"),
        pytest.param("a.html", RECORDS, id="HTML"),
        pytest.param("a.jsonl.gz", gzip.compress(RECORDS, 0), id="compressed"),
        pytest.param("a.jsonl", b'{"text": "' + b"x" * 500 + b'"}\n', id="one record"),
        pytest.param("a.jsonl", b'{"text": "' + b"x" * 500 + b'"}', id="one record without line end"),
    ],
)
def test_what_cannot_be_cut_stays_whole(desk: Desk, name: str, content: bytes) -> None:
    desk.put(name, content)
    assert pieces_of(shards_of(desk, 50)) == [[(name, 0, len(content))]]


def test_a_file_read_as_jsonl_is_cut_whatever_its_ending(desk: Desk) -> None:
    desk.put("a.log", RECORDS)
    assert len(shards_of(desk, 100)) == 1
    assert len(shards_of(desk, 100, format="jsonl")) > 1


def test_the_record_behind_a_very_long_one_is_found(desk: Desk) -> None:
    long = b'{"text": "' + b"x" * 3_000_000 + b'"}\n'
    desk.put("a.jsonl", long + RECORDS)
    assert pieces_of(shards_of(desk, 1_000_000)) == [
        [("a.jsonl", 0, len(long))],
        [("a.jsonl", len(long), len(long) + len(RECORDS))],
    ]


def test_shards_follow_the_order_of_the_sources_and_a_dataset_is_one(desk: Desk) -> None:
    desk.put("b/x.txt", "x")
    desk.put("a/y.txt", "y")
    sources = {name: Source(path="x", language="ja") for name in ("b", "a")}
    sources["hub"] = Source(dataset="owner/name", language="ja")
    files: dict[str, Any] = {name: find_files(str(desk.root / name), what="x") for name in ("a", "b")}
    shards = cut(sources, {**files, "hub": "owner/name:train"}, 1000)
    assert [shard.key for shard in shards] == ["b-00000", "a-00000", "hub-00000"]
    assert shards[2].pieces == (Piece("hub", "owner/name:train", shards[2].pieces[0].path, 0, 0),)


def test_no_files_are_no_tasks(desk: Desk) -> None:
    assert shards_of(desk, 1000) == []


LINE = st.sampled_from(
    [
        b'{"text": "a"}',
        '{"text": "点検"}'.encode(),
        b"",
        b"  ",
        b"broken",
        b'{"text": "' + b"x" * 70 + b'"}',
        b'{"no": 1}',
    ]
)


@given(st.lists(LINE, max_size=30), st.sampled_from([b"\n", b"\r\n"]), st.booleans(), st.integers(1, 200))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_size_of_task_gives_the_same_documents_and_the_same_quarantine(
    desk: Desk, lines: list[bytes], end: bytes, last_end: bool, task_bytes: int
) -> None:
    content = end.join(lines) + (end if last_end else b"")
    desk.put("a.jsonl", content)
    whole = desk.read("a.jsonl", document_bytes=60)
    pieces = [piece for shard in shards_of(desk, task_bytes) for piece in shard.pieces]
    parts = [desk.read("a.jsonl", document_bytes=60, bounds=(piece.start, piece.end)) for piece in pieces]
    assert [document for part in parts for document in part.documents] == whole.documents
    assert [one for part in parts for one in part.put_aside] == whole.put_aside


def test_a_file_of_blank_lines_is_empty_however_it_is_cut(desk: Desk) -> None:
    desk.put("a.jsonl", b"\n" * 10)
    desk.put("b.jsonl", b"\n" * 10 + b'{"text": "a"}')
    parts = [
        desk.read(piece.name, bounds=(piece.start, piece.end)) for shard in shards_of(desk, 2) for piece in shard.pieces
    ]
    assert len(parts) > 2
    assert [one.path for part in parts for one in part.put_aside] == ["a.jsonl"]
