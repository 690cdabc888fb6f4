"""Mail: subject, body and attachments, in the encodings that Japanese mail has had."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest

from tests.corpus.read.office import docx, mail, wp

if TYPE_CHECKING:
    from tests.corpus.conftest import Desk

SUBJECT, BODY = "点検の件", "ポンプの点検を行います。\n報告します。"


@pytest.mark.parametrize(
    ("charset", "declared", "named"),
    [
        ("utf-8", "UTF-8", "utf-8"),
        ("iso2022_jp", "ISO-2022-JP", "iso2022_jp_1"),
        ("cp932", "Shift_JIS", "shift_jis"),
        ("euc_jp", "EUC-JP", "euc_jp"),
        ("cp932", "us-ascii", "cp932"),
        ("euc_jp", "x-none", "euc_jp"),
    ],
)
def test_a_mail_of_any_encoding_is_subject_and_body(desk: Desk, charset: str, declared: str, named: str) -> None:
    word = base64.b64encode(SUBJECT.encode("iso2022_jp")).decode()
    head = (
        f"From: a@example.com\r\nSubject: =?ISO-2022-JP?B?{word}?=\r\nContent-Type: text/plain; charset={declared}\r\n"
    )
    content = f"{head}Content-Transfer-Encoding: 8bit\r\n\r\n".encode() + BODY.replace("\n", "\r\n").encode(charset)
    (document,) = desk.read("a.eml", content).documents
    assert (document["text"], document["encoding"]) == (f"{SUBJECT}\n\n{BODY}", named)


@pytest.mark.parametrize("charset", ["utf-8", "cp932", "euc_jp"])
def test_a_subject_that_was_sent_as_bytes_is_read(desk: Desk, charset: str) -> None:
    content = b"Subject: " + SUBJECT.encode(charset) + b"\r\n\r\n"
    assert desk.read("a.eml", content).texts == [SUBJECT]


def test_of_a_text_and_its_page_the_text_is_read_and_of_a_page_alone_the_page(desk: Desk) -> None:
    page = "Content-Type: text/html; charset=utf-8\r\n\r\n<nav>x</nav><p>本文</p>\r\n"
    both = (
        "Subject: s\r\nContent-Type: multipart/alternative; boundary=B\r\n\r\n--B\r\n"
        f"Content-Type: text/plain; charset=utf-8\r\n\r\n本文の字\r\n--B\r\n{page}--B--\r\n"
    )
    assert desk.read("a.eml", both).texts == ["s\n\n本文の字"]
    assert desk.read("b.eml", page).texts == ["本文"]


def test_attachments_are_documents_of_their_own(desk: Desk) -> None:
    read = desk.read("a.eml", mail("件名", "本文", report__docx=docx(wp("報告書")), image__png=b"\x89PNG"))
    assert [(one["path"], one["text"]) for one in read.documents] == [
        ("a.eml", "件名\n\n本文"),
        ("a.eml!/0-report.docx", "報告書"),
    ]
    assert [(one.path, one.reason) for one in read.put_aside] == [("a.eml!/1-image.png", "unknown_format")]


def test_a_mail_of_too_many_parts_is_put_aside(desk: Desk) -> None:
    head = "Subject: s\nContent-Type: multipart/mixed; boundary=B\n\n"
    part = "--B\nContent-Type: text/plain\n\nx\n"
    assert desk.read("a.eml", head + part * 3).documents
    assert [one.reason for one in desk.read("b.eml", head + part * 1000).put_aside] == ["too_large"]


def test_what_has_no_header_is_no_mail(desk: Desk) -> None:
    assert [one.reason for one in desk.read("a.eml", b"\x00\x01").put_aside] in (["binary"], ["damaged"])
