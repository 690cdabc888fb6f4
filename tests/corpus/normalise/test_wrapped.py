"""Lines that were broken at a fixed width are joined; any other document stays as it is."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.batch import utf8_of
from corpus.kernels.lines import line_columns
from corpus.normalise.wrapped import columns, unwrap

PROSE = (
    "定量ポンプの点検では最初に電源を切り次に吸込側の弁を閉じてから圧力が下がったことを圧力計で確認し"
    "そのうえで本体の覆いを外して膜の傷みと弁座の摩耗を目で見て調べ結果を点検表に記入する"
)


def wrapped(text: str, characters: int) -> str:
    """Text broken every so many characters."""
    return "\n".join(text[at : at + characters] for at in range(0, len(text), characters))


@pytest.mark.parametrize(
    ("line", "width"), [("", 0), ("abc", 3), ("点検", 4), ("ﾎﾟﾝﾌﾟ", 5), ("ＴＰ", 4), ("点 a", 4), ("한글", 4)]
)
def test_kana_kanji_and_full_width_forms_take_two_columns(line: str, width: int) -> None:
    assert columns(line) == width
    _, columns_L = line_columns(*utf8_of(pa.array([line, f"{line}\n"], pa.large_string())))
    assert columns_L.tolist() == [width, width, 0]


@pytest.mark.parametrize("characters", [20, 28, 30])
def test_a_wrapped_paragraph_becomes_one_line(characters: int) -> None:
    assert unwrap(wrapped(PROSE, characters)) == PROSE


@pytest.mark.parametrize("characters", [19, 61])
def test_lines_shorter_or_longer_than_any_word_processor_breaks_them_stay(characters: int) -> None:
    text = wrapped(PROSE * 4, characters)
    assert unwrap(text) == text


@pytest.mark.parametrize(
    ("full_lines", "joined"),
    [pytest.param(3, True, id="three full lines"), pytest.param(2, False, id="two could be chance")],
)
def test_three_full_lines_make_a_wrapped_document(full_lines: int, joined: bool) -> None:
    text = wrapped(PROSE[: 20 * full_lines] + "以上のとおり", 20)
    assert (unwrap(text) == text.replace("\n", "")) == joined
    assert (unwrap(text) == text) == (not joined)


@pytest.mark.parametrize(
    ("half_lines", "joined"), [pytest.param(4, True, id="3 of 7 are full"), pytest.param(5, False, id="3 of 8")]
)
def test_full_lines_must_be_two_fifths_of_the_longer_ones(half_lines: int, joined: bool) -> None:
    halves = ["十文字ある行の例です"[:10] for _ in range(half_lines)]
    text = "\n".join([*halves, wrapped(PROSE[:60], 20), "終わり"])
    assert (unwrap(text) != text) == joined


@pytest.mark.parametrize(
    ("shorter_by", "joined"),
    [pytest.param(3, True, id="6 columns short"), pytest.param(4, False, id="8 columns short")],
)
def test_a_full_line_may_fall_short_by_six_columns(shorter_by: int, joined: bool) -> None:
    lines = [PROSE[:20], PROSE[20:40], PROSE[40:60], PROSE[60 : 80 - shorter_by], "続きの行"]
    assert ("\n続きの行" not in unwrap("\n".join(lines))) == joined


@pytest.mark.parametrize(
    "following",
    [
        "・項目",
        "1. 項目",
        "（1）項目",
        "（ア）項目",
        "第一章",
        "■見出し",
        "【議題】",
        "　字下げ",
        "> 引用",
        "※注",
        "-----",
        "3）項目",
    ],
)
def test_what_begins_anew_is_not_joined(following: str) -> None:
    text = f"{wrapped(PROSE[:80], 20)}\n{following}"
    assert unwrap(text) == f"{PROSE[:80]}\n{following}"


@pytest.mark.parametrize("end", list("。．.！？!?：:」』】)）"))
def test_a_line_that_ends_its_sentence_is_not_joined(end: str) -> None:
    text = f"{wrapped(PROSE[:79] + end, 20)}\n次の文"
    assert unwrap(text) == f"{PROSE[:79]}{end}\n次の文"


def test_where_paragraphs_are_indented_a_line_goes_on_even_after_a_full_stop() -> None:
    first = "　" + PROSE[:18] + "。" + PROSE[20:59] + "。"
    lines = "\n".join([wrapped(first, 20), wrapped("　" + PROSE[:59], 20)])
    assert unwrap(lines) == f"{first}\n　{PROSE[:59]}"


def test_an_empty_line_ends_a_paragraph() -> None:
    text = f"{wrapped(PROSE[:80], 20)}\n\n{wrapped(PROSE[:40], 20)}"
    assert unwrap(text) == f"{PROSE[:80]}\n\n{PROSE[:40]}"


def test_two_latin_words_get_a_space_between_them() -> None:
    line = "The pump moves a small amount of liquid with every"
    assert unwrap("\n".join([line] * 3 + ["stroke"])) == f"{line} {line} {line} stroke"


@given(st.text("点検ab 。\n・1", max_size=400))
def test_only_line_ends_change_and_only_into_nothing_or_a_space(text: str) -> None:
    joined = unwrap(text)
    assert joined.replace("\n", "").replace(" ", "") == text.replace("\n", "").replace(" ", "")
    assert joined.count("\n") <= text.count("\n")


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
def test_a_text_without_line_ends_stays(text: str) -> None:
    line = text.replace("\n", "")
    assert unwrap(line) == line


def test_what_was_joined_stays_joined() -> None:
    once = unwrap(wrapped(PROSE, 20) + "\n\n" + wrapped(PROSE, 20))
    assert unwrap(once) == once
