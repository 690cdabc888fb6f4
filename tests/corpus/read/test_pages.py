"""Printed pages: frames go, lines that the paper broke are joined."""

from __future__ import annotations

import pytest

from corpus.read.pages import pages_text

FULL = "点検は毎月一回必ず行い、その結果を所定の記録簿に記入し、課長の確認"
END = "を受けること。"


def test_lines_that_the_width_broke_are_joined_and_others_stay() -> None:
    page = "\r\n".join([FULL, END, FULL, END, "短い見出し", FULL, END])
    assert pages_text([page]) == f"{FULL}{END}\n{FULL}{END}\n短い見出し\n{FULL}{END}"


@pytest.mark.parametrize("sign", ["・弁", "• 弁", "1. 弁", "▶ 弁", "第2条"])
def test_a_list_item_begins_a_line_also_after_a_full_one(sign: str) -> None:
    assert pages_text([f"{FULL}\n{FULL}\n{sign}"]).split("\n")[-1] == sign


NOTE = [
    "規則によりこの手順はインストールの前に配布され、検査の済んだパッ",
    "ケージだけを対象とし、その後から届いたほかのものには及ばないも",
]


@pytest.mark.parametrize(
    ("first", "second", "joined"),
    [
        pytest.param(*NOTE, True, id="as wide as its neighbour"),
        pytest.param(NOTE[0][:-1] + "。", NOTE[1], False, id="end of a sentence"),
        pytest.param(NOTE[0], "ケージ", False, id="no neighbour of its width"),
        pytest.param(NOTE[0][-29:], NOTE[1][-29:], False, id="too narrow"),
    ],
)
def test_a_note_between_wider_margins_is_joined_too(first: str, second: str, joined: bool) -> None:
    wide = FULL + "を受けることに"  # 80 columns, the note has 64 and 62
    text = pages_text(["\n".join([wide, END, wide, END, wide, END, "注意", first, second, "のとする。"])])
    assert (first + second in text) == joined


@pytest.mark.parametrize("dots", [" . . . . . . ", "……", "・・・・・"])
def test_an_entry_of_a_table_of_contents_ends_its_line(dots: str) -> None:
    entry = f"{FULL[:30]}{dots}12"
    assert pages_text(["\n".join([entry, "3 全体の構成", entry, entry])]).split("\n")[1] == "3 全体の構成"


def test_a_paragraph_that_goes_on_over_a_page_is_joined() -> None:
    bodies = [f"{name}の{FULL[3:]}" for name in "弁管膜"]
    pages = [f"社外秘\n{body}\n- {n} -" for n, body in enumerate(bodies, 1)]
    assert pages_text(pages) == "".join(bodies)


def test_latin_words_keep_their_space_and_hyphens_that_broke_a_word_go() -> None:
    line = "The pump has to be checked once a month by the per"
    assert (
        pages_text([f"{line}\ufffe\r\nson in charge."])
        == "The pump has to be checked once a month by the person in charge."
    )
    words = "The pump has to be checked once a month by the"
    assert pages_text(["\r\n".join([words] * 3)]) == " ".join([words] * 3)
    assert pages_text([f"{words}\r\n{words}"]) == f"{words}\n{words}"


@pytest.mark.parametrize(("pages", "stays"), [(3, False), (2, True)])
def test_a_line_at_the_edge_of_three_pages_is_a_header(pages: int, stays: bool) -> None:
    text = pages_text([f"設備課 手順書\n手順{'甲乙丙'[n]}を行う。" for n in range(pages)])
    assert ("設備課" in text) == stays


@pytest.mark.parametrize("number", ["{}", "- {} -", "{} / 9", "第三章　点検　{}", "{} 第三章　点検"])
def test_page_numbers_go_wherever_they_begin(number: str) -> None:
    names = ["弁", "管", "膜", "計"]
    pages = [f"{name}の点検。\n本文{name}。\n終わり{name}。\n{number.format(5 + n)}" for n, name in enumerate(names)]
    assert pages_text(pages).split("\n")[:3] == ["弁の点検。", "本文弁。", "終わり弁。"]
    assert len(pages_text(pages).split("\n")) == 12


def test_numbers_that_do_not_count_pages_stay() -> None:
    assert pages_text([f"{name}の数\n{count}" for name, count in zip("弁管膜", (7, 7, 3), strict=True)]).count("7") == 2


def test_a_footer_that_stands_behind_the_last_line_goes() -> None:
    pages = [f"本文{name}。\n終わり{name}。\n手順書 {n} / 4" for n, name in enumerate("甲乙丙", 1)]
    pages.append("本文丁。\n終わり丁。 手順書 4 / 4")
    assert pages_text(pages).endswith("本文丁。\n終わり丁。")


def test_no_pages_are_no_text() -> None:
    assert pages_text([]) == ""
    assert pages_text(["", "\n \n"]) == ""
