"""A text file is a document, or an entry in the quarantine."""

from __future__ import annotations

import hashlib
import os
import tracemalloc
from typing import TYPE_CHECKING

import pytest

from corpus.batch import document_id

if TYPE_CHECKING:
    from tests.corpus.conftest import Desk

TEXT = "点検表に結果を記入し、課長の確認を受ける。\n異常があれば、すぐに報告すること。\n"


@pytest.mark.parametrize(
    ("encoding", "named"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8-sig"),
        ("cp932", "cp932"),
        ("euc_jp", "euc_jp"),
        ("iso2022_jp", "iso2022_jp_1"),
        ("utf-16", "utf-16"),
    ],
)
@pytest.mark.parametrize("name", ["a.txt", "b.TXT", "c.md", "d.text", "deep/e.txt"])
def test_a_file_of_any_encoding_is_one_document(desk: Desk, encoding: str, named: str, name: str) -> None:
    content = TEXT.encode(encoding)
    read = desk.read(name, content, license="MIT", language="ja", access="internal", retention="1 year")
    assert read.documents == [
        {
            "id": document_id("mail", name, 0),
            "text": TEXT,
            "source": "mail",
            "path": name,
            "position": 0,
            "url": None,
            "license": "MIT",
            "language": "ja",
            "encoding": named,
            "meta": None,
            "access": "internal",
            "retention": "1 year",
        }
    ]
    assert read.put_aside == []
    assert read.hashes == {name: hashlib.sha256(content).hexdigest()}


@pytest.mark.parametrize(
    ("content", "reason", "detail"),
    [
        pytest.param(b"", "empty", "", id="empty"),
        pytest.param(b"\x7fELF\x02\x01\x01\x00" + bytes(64), "binary", "NUL at byte 7", id="program"),
        pytest.param(b"\x01\x02text", "binary", "2 control characters in 6 bytes", id="control characters"),
        pytest.param(
            "Où est la façade de l'hôtel ?".encode("latin-1"),
            "undecodable",
            "no encoding of utf-8, euc_jp, cp932 fits beyond byte 1",
            id="Latin-1",
        ),
        pytest.param(
            TEXT.encode()[:-2] + b"\xff",
            "undecodable",
            f"no encoding of utf-8, euc_jp, cp932 fits beyond byte {len(TEXT.encode()) - 4}",
            id="cut in a character",
        ),
        pytest.param(
            TEXT.encode("utf-16")[:-1],
            "undecodable",
            f"utf-16 breaks at byte {len(TEXT) * 2} of {len(TEXT) * 2 + 1}",
            id="UTF-16 cut in a character",
        ),
    ],
)
def test_what_is_no_text_is_put_aside_with_numbers_and_no_text(
    desk: Desk, content: bytes, reason: str, detail: str
) -> None:
    read = desk.read("a.txt", content)
    assert (read.documents, read.reasons) == ([], [(0, reason, detail)])
    assert read.hashes["a.txt"] == hashlib.sha256(content).hexdigest()


def test_a_file_of_the_largest_size_is_read_and_one_byte_more_is_not(desk: Desk) -> None:
    assert desk.read("a.txt", "x" * 100, document_bytes=100).texts == ["x" * 100]
    larger = desk.read("a.txt", "x" * 101, document_bytes=100)
    assert larger.reasons == [(0, "too_large", "101 bytes, corpus.limits.document_bytes is 100")]


def test_a_file_that_cannot_be_opened_is_put_aside(desk: Desk) -> None:
    assert desk.read("none.txt").reasons == [(0, "unreadable", "No such file or directory")]
    (desk.root / "folder.txt").mkdir()
    assert desk.read("folder.txt", bounds=(0, 1)).reasons == [(0, "unreadable", "Is a directory")]


def test_a_line_of_200_mb_is_put_aside_unread(desk: Desk) -> None:
    with open(desk.root / "a.txt", "wb") as out:
        os.truncate(out.fileno(), 200_000_000)
    tracemalloc.start()
    try:
        read = desk.read("a.txt")
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert read.reasons == [(0, "too_large", "200000000 bytes, corpus.limits.document_bytes is 50000000")]
    assert peak_bytes < 10_000_000
