"""Word documents: what a reader of the page reads, and nothing of the frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.corpus.read.office import docx, wp, zipped

if TYPE_CHECKING:
    from tests.corpus.conftest import Desk

RUBY = (
    "<w:r><w:ruby><w:rt><w:r><w:t>ようてい</w:t></w:r></w:rt>"
    "<w:rubyBase><w:r><w:t>揚程</w:t></w:r></w:rubyBase></w:ruby></w:r>"
)


def cell(*paragraphs: str) -> str:
    """A cell of a table."""
    return "<w:tc>" + "".join(wp(one) for one in paragraphs) + "</w:tc>"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        pytest.param(wp("点検を", "行う。") + wp("記録する。"), "点検を行う。\n記録する。", id="paragraphs"),
        pytest.param(wp("一") + wp() + wp("二"), "一\n\n二", id="empty paragraph"),
        pytest.param(f"<w:p>{RUBY}<w:r><w:t>を測る。</w:t></w:r></w:p>", "揚程を測る。", id="ruby is its base"),
        pytest.param(
            "<w:p><w:r><w:t>一</w:t><w:br/><w:t>二</w:t><w:tab/><w:t>三</w:t></w:r></w:p>", "一\n二\t三", id="marks"
        ),
        pytest.param(
            "<w:tbl><w:tr>"
            + cell("品名")
            + cell("数")
            + "</w:tr><w:tr>"
            + cell("弁", "大")
            + cell("3")
            + "</w:tr></w:tbl>",
            "品名\t数\n弁 大\t3",
            id="table row by row",
        ),
        pytest.param(
            "<w:p><w:del><w:r><w:delText>旧</w:delText></w:r></w:del><w:ins><w:r><w:t>新</w:t></w:r></w:ins></w:p>",
            "新",
            id="what was deleted is gone",
        ),
        pytest.param(
            "<w:p><w:r><w:t>本文</w:t></w:r><w:r><mc:AlternateContent><mc:Choice><w:txbxContent>"
            + wp("囲み")
            + "</w:txbxContent></mc:Choice><mc:Fallback><w:txbxContent>"
            + wp("囲み")
            + "</w:txbxContent></mc:Fallback></mc:AlternateContent></w:r><w:r><w:t>続き</w:t></w:r></w:p>"
            + wp("次"),
            "本文続き\n囲み\n次",
            id="text box once, after its paragraph",
        ),
        pytest.param("<w:p><w:r><w:instrText>PAGE</w:instrText><w:t>一</w:t></w:r></w:p>", "一", id="field code"),
        pytest.param("", "", id="nothing"),
    ],
)
def test_the_text_of_a_document_is_what_a_reader_reads(desk: Desk, body: str, text: str) -> None:
    (document,) = desk.read("a.docx", docx(body)).documents
    assert (document["text"], document["encoding"], document["position"]) == (text, "utf-8", 0)


def test_notes_come_after_the_text(desk: Desk) -> None:
    assert desk.read("a.docx", docx(wp("本文"), footnotes=wp("脚注"), endnotes=wp("後注"))).texts == [
        "本文\n脚注\n後注"
    ]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param(b"", "empty", id="empty"),
        pytest.param(b"no zip file", "damaged", id="no zip"),
        pytest.param(docx(wp("一"))[:-40], "damaged", id="cut off"),
        pytest.param(zipped({"other.xml": "<a/>"}), "damaged", id="another zip file"),
        pytest.param(zipped({"word/document.xml": "<a><b></a>"}), "damaged", id="no XML"),
        pytest.param(b"\xd0\xcf\x11\xe0" + bytes(600), "encrypted", id="with a password"),
        pytest.param(
            zipped({"word/document.xml": '<!DOCTYPE a [<!ENTITY x "一一一">]><a>&x;</a>'}), "unsafe_xml", id="entities"
        ),
    ],
)
def test_what_is_no_document_is_put_aside(desk: Desk, content: bytes, reason: str) -> None:
    read = desk.read("a.docx", content)
    assert ([one.reason for one in read.put_aside], read.documents) == ([reason], [])


def test_a_document_that_unpacks_to_more_than_five_times_the_limit_is_put_aside(desk: Desk) -> None:
    parts: dict[str, str | bytes] = {"word/document.xml": f"<d>{wp('y')}</d>".replace("w:", "")}
    size = len(parts["word/document.xml"])
    assert desk.read("a.docx", zipped(parts | {"x": b"x" * (5000 - size)}), document_bytes=1000).texts == ["y"]
    (reason,) = desk.read("b.docx", zipped(parts | {"x": b"x" * (5001 - size)}), document_bytes=1000).reasons
    assert reason == (0, "too_large", "5001 bytes unpacked, the limit is 5000")


def test_xml_as_deep_as_a_file_may_be_takes_no_stack(desk: Desk) -> None:
    deep = "<w:p>" * 100_000 + "<w:r><w:t>底</w:t></w:r>" + "</w:p>" * 100_000
    assert [text.strip() for text in desk.read("a.docx", docx(deep)).texts] == ["底"]
