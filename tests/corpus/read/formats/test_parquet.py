"""Parquet: a row is a document; a row that is no text, or a file that is damaged, is put aside."""

from __future__ import annotations

import datetime
import io
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from configs.atomic_file import sha256_of
from corpus.batch import BATCH_DOCUMENTS, document_id

if TYPE_CHECKING:
    from tests.corpus.conftest import Desk


def parquet(table: dict[str, Any], **options: Any) -> bytes:
    """The bytes of a file."""
    out = io.BytesIO()
    pq.write_table(pa.table(table), out, **options)
    return out.getvalue()


def unchecked(*texts: bytes) -> pa.Array:
    """A text column as careless writers leave it: bytes that may be no UTF-8."""
    offsets = np.cumsum([0, *(len(text) for text in texts)]).astype(np.int32)
    return pa.Array.from_buffers(pa.string(), len(texts), [None, pa.py_buffer(offsets), pa.py_buffer(b"".join(texts))])


MANY = parquet({"text": [f"第{n}号の記録。{n * n}" for n in range(300)]}, row_group_size=100)


def test_every_row_is_a_document_named_by_its_number(desk: Desk) -> None:
    moment = datetime.datetime(2024, 5, 1, 9, 30)
    content = parquet({"n": [1, 2], "url": ["https://example.com", None], "text": ["一", "二"], "at": [moment, None]})
    read = desk.read("a.parquet", content, meta_keys=("n", "at"))
    assert [(one["text"], one["position"], one["url"], one["meta"]) for one in read.documents] == [
        ("一", 0, "https://example.com", '{"at": "2024-05-01 09:30:00", "n": 1}'),
        ("二", 1, None, '{"at": null, "n": 2}'),
    ]
    assert [one["id"] for one in read.documents] == [document_id("mail", "a.parquet", n) for n in range(2)]
    assert read.hashes == {"a.parquet": sha256_of(desk.root / "a.parquet")}


@pytest.mark.parametrize(
    "column",
    [
        pytest.param(pa.array(["一", "二", "一"], pa.large_string()), id="large"),
        pytest.param(pa.array(["一", "二", "一"]).dictionary_encode(), id="dictionary"),
    ],
)
def test_texts_of_any_kind_of_column_are_read(desk: Desk, column: pa.Array) -> None:
    assert desk.read("a.parquet", parquet({"text": column})).texts == ["一", "二", "一"]


def test_rows_without_text_are_put_aside_one_by_one(desk: Desk) -> None:
    read = desk.read("a.parquet", parquet({"text": ["一", None, "三"]}))
    assert [(one["text"], one["position"]) for one in read.documents] == [("一", 0), ("三", 2)]
    assert read.reasons == [(1, "no_text", "the field 'text' is missing or no text")]


def test_rows_that_are_no_utf8_are_put_aside_one_by_one(desk: Desk) -> None:
    read = desk.read("a.parquet", parquet({"text": unchecked("一".encode(), "表".encode("cp932"), "三".encode())}))
    assert [(one["text"], one["position"]) for one in read.documents] == [("一", 0), ("三", 2)]
    assert read.reasons == [(1, "undecodable", "a field that is not UTF-8")]


def test_a_row_of_the_largest_size_is_read_and_one_byte_more_is_not(desk: Desk) -> None:
    read = desk.read("a.parquet", parquet({"text": ["x" * 50, "x" * 51, "あ" * 17, "あ" * 16]}), document_bytes=50)
    assert read.texts == ["x" * 50, "あ" * 16]
    assert read.reasons == [
        (1, "too_large", "a text of 51 bytes, the limit is 50"),
        (2, "too_large", "a text of 51 bytes, the limit is 50"),
    ]


@pytest.mark.parametrize(
    ("content", "reason", "detail"),
    [
        pytest.param(parquet({"body": ["x"]}), "no_text", "no column 'text'", id="other column"),
        pytest.param(b"", "damaged", "ArrowInvalid", id="empty"),
        pytest.param(b"PAR1 and nothing else", "damaged", "ArrowInvalid", id="no parquet"),
        pytest.param(MANY[:-1], "damaged", "ArrowInvalid", id="truncated"),
    ],
)
def test_a_file_that_cannot_be_read_is_put_aside(desk: Desk, content: bytes, reason: str, detail: str) -> None:
    read = desk.read("a.parquet", content)
    assert (read.documents, read.reasons) == ([], [(0, reason, detail)])
    assert read.hashes == {"a.parquet": sha256_of(desk.root / "a.parquet")}


def test_a_file_that_is_gone_is_put_aside(desk: Desk) -> None:
    assert desk.read("none.parquet").reasons == [(0, "damaged", "FileNotFoundError")]


def test_bytes_are_no_text(desk: Desk) -> None:
    read = desk.read("a.parquet", parquet({"text": [b"x"]}))
    assert read.reasons == [(0, "no_text", "the field 'text' is missing or no text")]


def test_a_file_without_rows_has_no_documents(desk: Desk) -> None:
    read = desk.read("a.parquet", parquet({"text": pa.array([], pa.string())}))
    assert (read.documents, read.reasons) == ([], [(0, "empty", "parquet without a document")])


def test_more_rows_than_a_batch_holds_are_all_read(desk: Desk) -> None:
    texts = [f"{n}" for n in range(2 * BATCH_DOCUMENTS + 1)]
    assert desk.read("a.parquet", parquet({"body": texts}), text_key="body").texts == texts


@given(st.integers(0, len(MANY) - 1), st.integers(0, 7))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
def test_a_flipped_bit_is_never_fatal_and_no_row_is_lost_without_a_word(desk: Desk, at: int, bit: int) -> None:
    damaged = bytearray(MANY)
    damaged[at] ^= 1 << bit
    read = desk.read("a.parquet", bytes(damaged))
    assert len(read.documents) == 300 or read.put_aside
