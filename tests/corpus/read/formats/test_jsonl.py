"""JSON lines: a record is a document; a damaged one does not take its neighbours with it."""

from __future__ import annotations

import gzip
import hashlib
import json
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corpus.batch import BATCH_DOCUMENTS, document_id

if TYPE_CHECKING:
    from tests.corpus.conftest import Desk


def lines(*records: Any) -> bytes:
    """Records as JSON lines."""
    return b"".join(json.dumps(record, ensure_ascii=False).encode() + b"\n" for record in records)


THREE = lines({"text": "一通目"}, {"text": "二通目"}, {"text": "三通目"})


def test_every_record_is_a_document_named_by_its_byte_offset(desk: Desk) -> None:
    read = desk.read("a.jsonl", THREE)
    length = len(THREE) // 3
    assert [(one["text"], one["position"]) for one in read.documents] == [
        ("一通目", 0),
        ("二通目", length),
        ("三通目", 2 * length),
    ]
    assert [one["id"] for one in read.documents] == [document_id("mail", "a.jsonl", n * length) for n in range(3)]
    assert read.hashes == {"a.jsonl": hashlib.sha256(THREE).hexdigest()}
    assert read.put_aside == []


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(THREE[:-1], id="no line end at the end"),
        pytest.param(THREE.replace(b"\n", b"\r\n"), id="CRLF"),
        pytest.param(THREE.replace(b"\n", b"\n\n  \n"), id="empty lines"),
        pytest.param(b"\xef\xbb\xbf" + THREE, id="byte-order mark"),
        pytest.param(THREE.decode().encode("cp932"), id="CP932"),
        pytest.param(THREE.decode().encode("euc_jp"), id="EUC-JP"),
        pytest.param(json.dumps({"text": "一通目"}).encode() + b"\n" + THREE[len(THREE) // 3 :], id="escapes"),
    ],
)
def test_the_same_records_are_read_however_they_are_written(desk: Desk, content: bytes) -> None:
    read = desk.read("a.jsonl", content)
    assert (read.texts, read.put_aside) == (["一通目", "二通目", "三通目"], [])


@pytest.mark.parametrize(
    ("record", "reason", "detail"),
    [
        pytest.param(b'{"text": "x"', "not_json", "a record of 12 bytes", id="broken"),
        pytest.param(b'{"text": 3}', "no_text", "the field 'text' is missing or no text", id="number"),
        pytest.param(b'{"text": null}', "no_text", "the field 'text' is missing or no text", id="null"),
        pytest.param(b'{"body": "x"}', "no_text", "the field 'text' is missing or no text", id="other field"),
        pytest.param(b'["x"]', "no_text", "the field 'text' is missing or no text", id="list"),
        pytest.param(b'"x"', "no_text", "the field 'text' is missing or no text", id="text alone"),
        pytest.param(b'{"text": "\\ud83d"}', "undecodable", "a lone surrogate in the record", id="surrogate"),
        pytest.param(
            b'{"text": "x", "url": "\\udc00"}', "undecodable", "a lone surrogate in the record", id="surrogate in url"
        ),
        pytest.param(
            b'{"text": "x", "k": {"\\udc00": 1}}',
            "undecodable",
            "a lone surrogate in the record",
            id="surrogate in meta",
        ),
        pytest.param(
            b'{"text": "\xe9t\xe9"}',
            "undecodable",
            "no encoding of utf-8, euc_jp, cp932 fits beyond byte 12",
            id="Latin-1",
        ),
        pytest.param(b'{"text": "\x00"}', "binary", "NUL at byte 10", id="NUL"),
        pytest.param(b"[" * 100_000, "not_json", "a record of 100000 bytes", id="brackets without end"),
        pytest.param(
            b'{"text": "x", "n": ' + b"7" * 5000 + b"}", "not_json", "a record of 5020 bytes", id="long number"
        ),
    ],
)
def test_a_damaged_record_is_put_aside_and_its_neighbours_are_read(
    desk: Desk, record: bytes, reason: str, detail: str
) -> None:
    before, after = lines({"text": "前"}), lines({"text": "後"})
    read = desk.read("a.jsonl", before + record + b"\n" + after, meta_keys=("k",))
    assert read.texts == ["前", "後"]
    assert read.reasons == [(len(before), reason, detail)]
    assert read.documents[1]["position"] == len(before) + len(record) + 1


def test_the_text_may_be_in_another_field_and_other_fields_are_kept_as_json(desk: Desk) -> None:
    record = {"body": "本文", "url": "https://example.com/1", "title": "題", "n": 1, "text": "not this", "other": 2}
    read = desk.read("a.jsonl", lines(record), text_key="body", meta_keys=("title", "n", "missing"))
    (document,) = read.documents
    assert (document["text"], document["url"]) == ("本文", "https://example.com/1")
    assert document["meta"] == '{"n": 1, "title": "題"}'


def test_a_url_that_is_no_text_is_left_out_and_so_is_meta_without_fields(desk: Desk) -> None:
    (document,) = desk.read("a.jsonl", lines({"text": "x", "url": 5}), meta_keys=("title",)).documents
    assert (document["url"], document["meta"]) == (None, None)


def test_an_empty_text_is_a_document_for_the_rules_to_judge(desk: Desk) -> None:
    assert desk.read("a.jsonl", lines({"text": ""})).texts == [""]


@pytest.mark.parametrize("name", ["a.jsonl", "a.ndjson", "a.jsonl.gz", "a.jsonl.zst"])
def test_an_empty_file_is_put_aside(desk: Desk, name: str) -> None:
    read = desk.read(name, b"")
    assert (read.documents, read.reasons) == ([], [(0, "empty", "")])


@pytest.mark.parametrize("content", [b"\n", b"  \n\n"], ids=repr)
def test_a_file_of_empty_lines_has_no_documents(desk: Desk, content: bytes) -> None:
    read = desk.read("a.jsonl", content)
    assert (read.documents, read.reasons) == ([], [(0, "empty", "jsonl without a document")])


def test_a_record_of_the_largest_size_is_read_and_one_byte_more_is_not(desk: Desk) -> None:
    small, exact, larger = lines({"text": "x"}), lines({"text": "y" * 38}), lines({"text": "z" * 39})
    read = desk.read("a.jsonl", small + larger + exact + small, document_bytes=50)
    assert read.texts == ["x", "y" * 38, "x"]
    assert read.reasons == [(len(small), "too_large", "a record of 51 bytes, the limit is 50")]
    last = desk.read("a.jsonl", small + larger[:-1], document_bytes=50)
    assert last.reasons == [(len(small), "too_large", "a record of 51 bytes, the limit is 50")]


def test_more_records_than_a_batch_holds_are_all_read(desk: Desk) -> None:
    count = 2 * BATCH_DOCUMENTS + 1
    read = desk.read("a.jsonl", lines(*({"text": f"{n}"} for n in range(count))))
    assert read.texts == [f"{n}" for n in range(count)]


@pytest.mark.parametrize(
    ("name", "compress"),
    [
        pytest.param("a.jsonl", lambda content: content, id="plain"),
        pytest.param("a.jsonl.gz", gzip.compress, id="gz"),
        pytest.param("a.jsonl.zst", zstandard.ZstdCompressor().compress, id="zst"),
    ],
)
def test_a_line_of_200_mb_is_put_aside_in_bounded_memory_and_the_next_one_read(
    desk: Desk, name: str, compress: Any
) -> None:
    content = b'{"text": "' + b"x" * 200_000_000 + b'"}\n' + lines({"text": "後"})
    desk.put(name, compress(content))
    del content
    tracemalloc.start()
    try:
        read = desk.read(name, document_bytes=1_000_000)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert read.texts == ["後"]
    assert read.reasons == [(0, "too_large", "a record of 200000012 bytes, the limit is 1000000")]
    # A bite of 4 kB of zstd may hold 128 MB, which the library joins from blocks; of gz, 4 MB.
    assert peak_bytes < (280_000_000 if name.endswith("zst") else 20_000_000)


@given(st.lists(st.text(max_size=12), max_size=6), st.booleans())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_comes_back_as_it_was_written(desk: Desk, texts: list[str], ascii_: bool) -> None:
    encodable = [text for text in texts if not any("\ud800" <= character <= "\udfff" for character in text)]
    content = "".join(json.dumps({"text": text}, ensure_ascii=ascii_) + "\n" for text in encodable).encode()
    assert desk.read("a.jsonl", content).texts == encodable
