"""HTML pages: what a reader reads, without the frame, the script and the readings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.read.page import page_text

if TYPE_CHECKING:
    from tests.corpus.conftest import Desk

SENTENCE = "ポンプの弁を閉じてから、電源を切ること。"


def page(body: str, head: str = "") -> str:
    """A page around a body."""
    return f"<!DOCTYPE html><html><head>{head}<title>題</title></head><body>{body}</body></html>"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        pytest.param(f"<p>{SENTENCE}</p>", SENTENCE, id="paragraph"),
        pytest.param("<p>一</p><p>二</p>", "一\n\n二", id="two paragraphs"),
        pytest.param("<p>一<br>二</p>", "一\n二", id="line break"),
        pytest.param("<p>弁&amp;管&#12354;</p>", "弁&管あ", id="entities"),
        pytest.param("<p>一</p><!-- 二 -->", "一", id="comment"),
        pytest.param("<p>一</p><script>var x='二';</script><style>p{}</style>", "一", id="script and style"),
        pytest.param("<header>社名</header><p>一</p><footer>住所</footer>", "一", id="header and footer"),
        pytest.param("<nav><a>製品</a></nav><p>一</p><aside>広告</aside>", "一", id="navigation and side bar"),
        pytest.param(
            "<div class='breadcrumb'>上へ</div><p>一</p><div id='footer'>住所</div>", "一", id="by class and id"
        ),
        pytest.param("<div role='navigation'>製品</div><p>一</p>", "一", id="by role"),
        pytest.param("<main><header>見出し</header><p>一</p></main>", "見出し\n\n一", id="header of the text stays"),
        pytest.param("<p><ruby>揚程<rt>ようてい</rt></ruby>を測る。</p>", "揚程を測る。", id="ruby"),
        pytest.param(
            "<p><ruby>揚<rp>（</rp><rt>よう</rt><rp>）</rp>程<rtc><rt>てい</rt></rtc></ruby>を測る。</p>",
            "揚程を測る。",
            id="ruby with parentheses and nested readings",
        ),
        pytest.param(
            "<table><tr><th>項目<th>基準</tr><tr><td>圧力</td><td>0.5 MPa</td></tr></table><p>一</p>",
            "項目\t\t基準\n圧力\t\t0.5 MPa\n\n一",
            id="table row by row",
        ),
        pytest.param(
            "<p>一</p><ul><li>弁を閉じる。<li>電源を切る。<ol><li>主<li>予備</ol></ul>",
            "一\n\n  • 弁を閉じる。\n  • 電源を切る。\n    1. 主\n    2. 予備",
            id="list item by item",
        ),
        pytest.param("<p>一</p><ul><li><a>製品</a></li><li><a>会社</a></li></ul>", "一", id="list of links"),
        pytest.param(
            "<p>一</p><ul><li><a>製品</a><ul><li><a>流量計</a></li></ul></li></ul>", "一", id="links in links"
        ),
        pytest.param("", "", id="nothing"),
    ],
)
def test_the_text_of_a_page_is_what_a_reader_reads(body: str, text: str) -> None:
    assert page_text(page(body)) == text


@pytest.mark.parametrize(
    ("linked", "stays"),
    [pytest.param(8, False, id="8 of 10 characters are links"), pytest.param(7, True, id="7 of 10")],
)
def test_a_list_of_which_four_fifths_are_links_is_a_menu(linked: int, stays: bool) -> None:
    listing = f"<ul><li><a>{'連' * linked}</a>{'文' * (10 - linked)}</li></ul>"
    assert ("文" in page_text(page(f"<p>一</p>{listing}"))) == stays


def test_a_menu_inside_a_list_of_prose_goes_alone() -> None:
    text = page_text(page("<ul><li>手順を読む。<ol><li><a>別</a></li></ol></li></ul>"))
    assert "手順を読む。" in text
    assert "別" not in text


@pytest.mark.parametrize(
    ("encoding", "declared", "named"),
    [
        ("utf-8", "<meta charset=utf-8>", "utf-8"),
        ("shift_jis", '<meta charset="Shift_JIS">', "shift_jis"),
        ("cp932", '<meta http-equiv="Content-Type" content="text/html; charset=windows-31j">', "cp932"),
        ("euc_jp", "<META CHARSET='EUC-JP'>", "euc_jp"),
        ("cp932", "", "cp932"),
        ("utf-8-sig", "", "utf-8-sig"),
        ("iso2022_jp", '<meta charset="iso-2022-jp">', "iso2022_jp_1"),
        ("utf-8", '<meta charset="x-unknown">', "utf-8"),
        ("utf-8", '<meta charset="iso-8859-1">', "utf-8"),
        ("utf-8", '<meta charset="Shift_JIS">', "utf-8"),
        ("utf-8", '<meta charset="hex">', "utf-8"),
        ("cp932", '<meta charset="hex">', "cp932"),
        ("cp932", '<meta charset="undefined">', "cp932"),
        ("cp932", '<meta charset="unicode_escape">', "cp932"),
        ("cp932", '<meta charset="utf-16">', "cp932"),
        ("cp932", '<meta charset="UTF-8">', "cp932"),
    ],
)
def test_the_encoding_a_page_names_is_taken_where_it_fits(desk: Desk, encoding: str, declared: str, named: str) -> None:
    content = page(f"<p>{SENTENCE}</p>", declared).encode(encoding)
    (document,) = desk.read("a.html", content).documents
    assert (document["text"], document["encoding"]) == (SENTENCE, named)


def test_a_latin_page_is_read_as_it_says_it_is(desk: Desk) -> None:
    text = "Où est la façade de l'hôtel\xa0?"
    content = f'<meta charset="iso-8859-1"><p>{text}</p>'.encode("latin-1")
    (document,) = desk.read("a.html", content).documents
    assert document["encoding"] == "iso8859-1"
    assert document["text"].replace("\xa0", " ") == text.replace("\xa0", " ")


@pytest.mark.parametrize("charset", ["utf-16", "utf-7", "cp037", "unicode_escape", "idna", "rot13"])
def test_an_ascii_page_stays_ascii_whatever_it_says_it_is(desk: Desk, charset: str) -> None:
    body = r"<p>The valve +AGE- C:\u0041 ok</p>"
    (document,) = desk.read("a.html", page(body, f'<meta charset="{charset}">')).documents
    assert document["text"] == r"The valve +AGE- C:\u0041 ok"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param(b"", "empty", id="empty"),
        pytest.param(b"<p>\x00</p>", "binary", id="binary"),
        pytest.param(b"<p>\xe9</p>", "undecodable", id="no encoding"),
    ],
)
@pytest.mark.parametrize("name", ["a.html", "a.htm", "a.xhtml"])
def test_what_is_no_page_is_put_aside(desk: Desk, name: str, content: bytes, reason: str) -> None:
    read = desk.read(name, content)
    assert [one.reason for one in read.put_aside] == [reason]
    assert read.documents == []


def test_a_page_without_text_is_a_document_for_the_rules_to_judge(desk: Desk) -> None:
    assert desk.read("a.html", page("<nav>menu</nav>")).texts == [""]


@pytest.mark.parametrize(
    "part",
    [
        pytest.param("<ruby>揚程<rtc><rt>ようてい</rt></rtc></ruby>", id="readings"),
        pytest.param("<ul><li>手順<a>別</a></li></ul>", id="lists"),
        pytest.param("<ul><li><a>別</a>", id="lists in lists"),
    ],
)
@pytest.mark.timeout(60)  # 0.1 s; minutes if each element were looked for from the beginning again
def test_a_page_of_many_elements_is_read(part: str) -> None:
    assert SENTENCE in page_text(page(f"<p>{SENTENCE}</p>" + part * 2000))


MARKUP = [
    *("<ul>", "</ul>", "<li>", "<a href=x>", "</a>", "<ruby>", "<rt>", "</ruby>", "<nav>", "</nav>", "<p>", "<table>"),
    *("<td>", "</body>", "<!--", "-->", "<script>", "</script>", "&#x1F600;", "&lt", "文。", "a", "\x00", "<", ">"),
]


@given(st.lists(st.sampled_from(MARKUP), max_size=30))
def test_any_markup_gives_text_without_surrogates(parts: list[str]) -> None:
    assert page_text("".join(parts)).encode() is not None
