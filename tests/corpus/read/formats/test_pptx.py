"""Presentations: slides in the order in which they are shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.corpus.read.office import ap, pptx, zipped

if TYPE_CHECKING:
    from tests.corpus.conftest import Desk


def test_slides_come_in_the_order_of_the_presentation_with_their_notes(desk: Desk) -> None:
    content = pptx(ap("表紙"), ap("要点一") + ap("要点二"), notes={1: ap("話す内容")})
    (document,) = desk.read("a.pptx", content).documents
    assert (document["text"], document["encoding"]) == ("表紙\n\n要点一\n要点二\n話す内容", "utf-8")


def test_tables_are_rows_and_slide_numbers_are_no_text(desk: Desk) -> None:
    table = f"<a:tbl><a:tr><a:tc>{ap('品名')}</a:tc><a:tc>{ap('数')}</a:tc></a:tr></a:tbl>"
    number = "<a:p><a:fld><a:t>7</a:t></a:fld></a:p>"
    assert desk.read("a.pptx", pptx(table + number)).texts == ["品名\t数"]


def test_a_presentation_without_its_slide_is_put_aside(desk: Desk) -> None:
    assert [one.reason for one in desk.read("a.pptx", zipped({"ppt/slides/slide1.xml": "<a/>"})).put_aside] == [
        "damaged"
    ]
