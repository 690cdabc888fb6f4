"""OpenDocument texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.corpus.read.office import odt

if TYPE_CHECKING:
    from tests.corpus.conftest import Desk


@pytest.mark.parametrize(
    ("body", "text"),
    [
        pytest.param(
            "<text:h>見出し</text:h>\n <text:p>点検を<text:span>行う。</text:span></text:p>",
            "見出し\n点検を行う。",
            id="paragraphs",
        ),
        pytest.param(
            "<text:p><text:ruby><text:ruby-base>揚程</text:ruby-base><text:ruby-text>ようてい</text:ruby-text></text:ruby>を</text:p>",
            "揚程を",
            id="ruby is its base",
        ),
        pytest.param(
            "<text:p>a<text:s text:c='3'/>b<text:tab/>c<text:line-break/>d</text:p>", "a   b\tc\nd", id="marks"
        ),
        pytest.param(
            "<table:table><table:table-row><table:table-cell><text:p>弁</text:p></table:table-cell>"
            "<table:table-cell><text:p>3</text:p></table:table-cell></table:table-row></table:table>",
            "弁\t3",
            id="table",
        ),
        pytest.param(
            "<text:p>本文<text:note><text:note-citation>1</text:note-citation><text:note-body><text:p>脚注</text:p>"
            "</text:note-body></text:note>続き。</text:p><text:p>次</text:p>",
            "本文続き。\n脚注\n次",
            id="note after its paragraph",
        ),
        pytest.param(
            "<text:tracked-changes><text:p>旧</text:p></text:tracked-changes><text:p>新</text:p>",
            "新",
            id="deleted text",
        ),
        pytest.param(
            "<text:p>例は<text:bookmark-ref>第2章</text:bookmark-ref>を見る。</text:p>",
            "例は第2章を見る。",
            id="reference",
        ),
    ],
)
def test_the_text_of_a_document_is_what_a_reader_reads(desk: Desk, body: str, text: str) -> None:
    assert desk.read("a.odt", odt(body)).texts == [text]
