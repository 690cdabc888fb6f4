"""Which reader reads a file: by the run file, or by the ending."""

from __future__ import annotations

import bz2
import gzip
import lzma
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, get_args

import pytest
import zstandard

from configs.schema.corpus import Source
from corpus.read.open import format_of
from corpus.read.registry import formats

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
        ("a.docx", "auto", "docx"),
        ("a.tgz", "auto", "tar"),
        ("a.pdf.gz", "auto", "pdf"),
        ("a.doc", "auto", None),
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
            "a.doc", b"x", "ending 'doc'; set format for this source to read it all the same", id="another ending"
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
        pytest.param("a.parquet.gz", gzip.compress(b"x"), "parquet is not read compressed", id="compressed table"),
    ],
)
def test_an_unknown_format_is_put_aside_with_the_way_out(desk: Desk, name: str, content: bytes, detail: str) -> None:
    read = desk.read(name, content)
    assert (read.documents, read.reasons) == ([], [(0, "unknown_format", detail)])


def test_every_format_can_be_named_in_the_run_file() -> None:
    named = get_args(Source.model_fields["format"].annotation)
    assert set(named) == {"auto", *formats()}
    assert list(named[1:]) == sorted(named[1:])


def test_no_two_formats_have_one_ending() -> None:
    endings = [ending for one in formats().values() for ending in one.endings]
    assert sorted(endings) == sorted(set(endings))


COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    **{"gz": gzip.compress, "zst": zstandard.compress, "xz": lzma.compress, "bz2": bz2.compress}
}


@pytest.mark.parametrize("compression", sorted(COMPRESS))
def test_text_is_read_compressed(desk: Desk, compression: str) -> None:
    content = COMPRESS[compression]("点検を行う。".encode("euc_jp"))
    (document,) = desk.read(f"a.txt.{compression}", content).documents
    assert (document["text"], document["encoding"]) == ("点検を行う。", "euc_jp")
    (broken,) = desk.read(f"b.txt.{compression}", content[:-3]).reasons
    assert broken[:2] == (0, "truncated")


def test_compressed_text_may_have_the_largest_size_and_no_byte_more(desk: Desk) -> None:
    assert desk.read("a.txt.gz", gzip.compress(b"x" * 1000), document_bytes=1000).texts == ["x" * 1000]
    read = desk.read("b.txt.gz", gzip.compress(b"x" * 1001), document_bytes=1000)
    assert read.reasons == [(0, "too_large", "more than 1000 bytes, which corpus.limits.document_bytes is")]


def test_a_format_that_is_named_reads_any_ending(desk: Desk) -> None:
    assert desk.read("report.log", "点検を行う。", format="txt").texts == ["点検を行う。"]
