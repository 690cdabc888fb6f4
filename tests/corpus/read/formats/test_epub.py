"""Books: chapters in reading order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.corpus.read.office import epub, zipped

if TYPE_CHECKING:
    from tests.corpus.conftest import Desk


def test_chapters_come_in_reading_order_with_ruby_resolved_and_without_contents(desk: Desk) -> None:
    chapters = {"nav": "<p>目次</p>", "two": "<p>第二章</p>", "one": "<p><ruby>揚程<rt>ようてい</rt></ruby>の章</p>"}
    (document,) = desk.read("a.epub", epub(chapters, ["nav", "one", "two"], "nav")).documents
    assert (document["text"], document["encoding"]) == ("揚程の章\n\n第二章", "utf-8")


def test_a_chapter_that_is_missing_or_a_book_that_is_locked_is_put_aside(desk: Desk) -> None:
    book = epub({"one": "<p>一</p>"}, ["one", "two"])
    assert desk.read("a.epub", book).texts == ["一"]
    assert [one.reason for one in desk.read("b.epub", zipped({"a": "b"})).put_aside] == ["damaged"]
    locked = zipped({"META-INF/encryption.xml": "<a/>", "META-INF/container.xml": "<a/>"})
    assert [one.reason for one in desk.read("c.epub", locked).put_aside] == ["encrypted"]
