"""SGML of the nineties: titles are text, and end tags are left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.corpus.conftest import Desk


def test_a_manual_is_read_as_a_page_whose_titles_are_text(desk: Desk) -> None:
    head = "<!doctype linuxdoc system><article><title>手引き<sect>準備<p>"
    source = f"{head}弁を閉じる。<itemize><item>工具<item>布</itemize><verb>a  b</verb>"
    (document,) = desk.read("a.sgml", source.encode("euc_jp")).documents
    lines = [line.strip() for line in document["text"].split("\n") if line.strip()]
    assert document["encoding"] == "euc_jp"
    assert "弁を閉じる。" in lines[0] + lines[1]
    assert lines[-3:] == ["• 工具", "• 布", "a  b"]
    assert document["text"].startswith("手引き")
