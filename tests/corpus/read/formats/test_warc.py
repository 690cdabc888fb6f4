"""Web archives: pages by the encoding that server or page names, and records after a damaged one."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest

from tests.corpus.read.office import warc_record

if TYPE_CHECKING:
    from tests.corpus.conftest import Desk

PAGE = "<body><nav>x</nav><p>ポンプの点検を行う。</p></body>"
TEXT = "ポンプの点検を行う。"
A, B = warc_record("http://a/", PAGE.encode()), warc_record("http://b/", PAGE.replace("点検", "清掃").encode())


@pytest.mark.parametrize(
    ("encoding", "http", "meta", "named"),
    [
        ("cp932", "text/html; charset=Shift_JIS", "", "shift_jis"),
        ("euc_jp", "text/html", "<meta charset=euc-jp>", "euc_jp"),
        ("euc_jp", "text/html; charset=iso-8859-1x", "", "euc_jp"),
        ("utf-8", "text/html; charset=Shift_JIS", "<meta charset=euc-jp>", "utf-8"),
        ("iso2022_jp", "text/html", "", "iso2022_jp_1"),
        ("cp932", "application/xhtml+xml", "<meta charset=utf-8>", "cp932"),
    ],
)
def test_a_page_is_read_by_the_encoding_that_fits(desk: Desk, encoding: str, http: str, meta: str, named: str) -> None:
    (document,) = desk.read("a.warc", warc_record("http://x/y", (meta + PAGE).encode(encoding), http)).documents
    assert (document["text"], document["encoding"], document["url"]) == (TEXT, named, "http://x/y")


@pytest.mark.parametrize("ending", ["warc", "warc.gz"])
def test_positions_are_those_of_the_records_in_the_file(desk: Desk, ending: str) -> None:
    pack = gzip.compress if ending == "warc.gz" else bytes
    read = desk.read(f"a.{ending}", pack(A) + pack(B))
    assert [(one["url"], one["position"]) for one in read.documents] == [("http://a/", 0), ("http://b/", len(pack(A)))]


def test_a_wet_file_is_texts(desk: Desk) -> None:
    info = warc_record("", b"x", None, kind="warcinfo", type="application/warc-fields")
    content = info + warc_record("http://a/", TEXT.encode(), None, kind="conversion")
    assert desk.read("a.warc.wet.gz", gzip.compress(info) + gzip.compress(content[len(info) :])).texts == [TEXT]


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        pytest.param(gzip.compress(PAGE.encode()), {"Content_Encoding": "gzip"}, id="packed"),
        pytest.param(PAGE.encode(), {"Content_Encoding": "gzip"}, id="unpacked by the crawler"),
        pytest.param(
            b"%x\r\n%s\r\n0\r\n\r\n" % (len(PAGE.encode()), PAGE.encode()),
            {"Transfer_Encoding": "chunked"},
            id="chunked",
        ),
        pytest.param(PAGE.encode(), {"Transfer_Encoding": "chunked"}, id="joined by the crawler"),
    ],
)
def test_the_encodings_of_the_transfer_are_undone_and_later_records_read(
    desk: Desk, body: bytes, fields: dict[str, str]
) -> None:
    read = desk.read("a.warc", A + warc_record("http://x/", body, "text/html", **fields) + B)
    assert read.texts == [TEXT, TEXT, TEXT.replace("点検", "清掃")]


@pytest.mark.parametrize("ending", ["warc", "warc.gz"])
def test_a_damaged_record_is_put_aside_and_the_next_one_read(desk: Desk, ending: str) -> None:
    packed = ending == "warc.gz"
    pack = gzip.compress if packed else bytes
    junk = b"\x1f\x8b\x08" + b"garbage" * 9 if packed else b"garbage\r\n" * 9
    read = desk.read(f"a.{ending}", pack(A) + junk + pack(B))
    assert [one["url"] for one in read.documents] == ["http://a/", "http://b/"]
    assert {one.reason for one in read.put_aside} == {"damaged"}
    assert read.documents[1]["position"] == len(pack(A) + junk)


def test_a_record_that_breaks_off_is_told(desk: Desk) -> None:
    read = desk.read("a.warc", (A + B)[:-30])
    assert read.texts == [TEXT]
    assert [(one.position, one.reason) for one in read.put_aside] == [(len(A), "truncated")]


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        pytest.param(warc_record("http://x/", PAGE.encode(), status="404 Not Found"), "no_page", id="not found"),
        pytest.param(warc_record("http://x/", b"\x89PNG", "image/png"), "unknown_format", id="picture"),
        pytest.param(warc_record("http://x/", b"<p>\xe9</p>"), "undecodable", id="no encoding"),
        pytest.param(warc_record("http://x/", b"y" * 3000), "too_large", id="too large"),
    ],
)
def test_what_is_no_page_is_put_aside_with_its_position(desk: Desk, record: bytes, reason: str) -> None:
    read = desk.read("a.warc", A + record + B, document_bytes=2000)
    assert len(read.documents) == 2
    assert [(one.position, one.reason) for one in read.put_aside] == [(len(A), reason)]
