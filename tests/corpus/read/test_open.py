"""Which reader reads a file: by the run file, or by the ending."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Any

import pytest

from configs.schema.corpus import Source
from corpus.read.open import format_of

if TYPE_CHECKING:
    from tests.corpus.conftest import Desk


@pytest.mark.parametrize(
    ("name", "format_", "kind"),
    [
        ("a.txt", "auto", "txt"),
        ("a.MD", "auto", "txt"),
        ("a.htm", "auto", "html"),
        ("a.ndjson.zst", "auto", "jsonl"),
        ("a.parquet", "auto", "parquet"),
        ("a.docx", "auto", None),
        ("README", "auto", None),
        ("a.txt", "html", "html"),
        ("README", "txt", "txt"),
        ("txt", "auto", "txt"),
    ],
)
def test_the_format_is_the_run_files_or_the_endings(name: str, format_: Any, kind: str | None) -> None:
    assert format_of(Source(path="x", language="ja", format=format_), name) == kind


@pytest.mark.parametrize(
    ("name", "content", "detail"),
    [
        pytest.param(
            "a.docx", b"x", "ending 'docx'; set format for this source to read it all the same", id="another ending"
        ),
        pytest.param(
            "README", b"x", "ending 'none'; set format for this source to read it all the same", id="no ending"
        ),
        pytest.param(
            "a.a-very-long-ending",
            b"x",
            "ending 'a-very-long-'; set format for this source to read it all the same",
            id="long ending",
        ),
        pytest.param("a.txt.gz", gzip.compress(b"x"), "only jsonl is read compressed", id="compressed text"),
    ],
)
def test_an_unknown_format_is_put_aside_with_the_way_out(desk: Desk, name: str, content: bytes, detail: str) -> None:
    read = desk.read(name, content)
    assert (read.documents, read.reasons) == ([], [(0, "unknown_format", detail)])


def test_a_format_that_is_named_reads_any_ending(desk: Desk) -> None:
    assert desk.read("report.log", "点検を行う。", format="txt").texts == ["点検を行う。"]
