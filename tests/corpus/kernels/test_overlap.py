"""Items in documents: most of an item's n-grams, close to each other."""

from __future__ import annotations

import unicodedata

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.batch import utf8_of
from corpus.kernels.overlap import NOTHING, Items, folded, grams_of

QUESTION = "電子機器で使用される最も主要な電子回路基板の事をなんと言う？"


def first(texts: list[str], items: list[str], ngram: int = 4, min_share: float = 0.7) -> list[int]:
    """The first item of each text."""
    looked_for = Items.of([grams_of(folded(item), ngram) for item in items], ngram, min_share)
    found_N = looked_for.first_in(*utf8_of(pa.array(texts, pa.large_string())), ngram)
    return [int(item) for item in found_N]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param(QUESTION, True, id="as it is"),
        pytest.param(f"問一。{QUESTION}答えは二番。", True, id="in a text"),
        pytest.param(" ".join(QUESTION), True, id="with spaces"),
        pytest.param(QUESTION.replace("で", "\nで、"), True, id="wrapped and punctuated"),
        pytest.param(QUESTION.replace("主要", "重要"), True, id="one character changed"),
        pytest.param(QUESTION[:12], False, id="its beginning"),
        pytest.param("電子回路の基板を使用する。", False, id="its words"),
        pytest.param("何。".join(QUESTION[at : at + 4] for at in range(0, 28, 2)), False, id="its pieces scattered"),
        pytest.param("", False, id="nothing"),
    ],
)
def test_a_short_question_is_found_however_it_is_written(text: str, found: bool) -> None:
    assert first([text], [QUESTION]) == [0 if found else NOTHING]


def test_width_and_case_do_not_count() -> None:
    assert first(["ＣＤのサンプリングレートは？", "cd の サンプリング レート は"], ["CDのサンプリングレートは"]) == [
        0,
        0,
    ]
    assert folded("ｶﾞﾗｽ １２３") == "ガラス123"


@given(st.text())
def test_letters_and_digits_alone_are_left_of_any_text(text: str) -> None:
    assert folded(text) == "".join(filter(str.isalnum, unicodedata.normalize("NFKC", text).lower()))


@pytest.mark.parametrize(("share", "found"), [(0.6, 0), (0.61, NOTHING)])
def test_on_the_share_an_item_is_found(share: float, found: int) -> None:
    # Five n-grams, of which the text has three.
    assert first(["一二三四五六"], ["一二三四五六七八"], min_share=share) == [found]


def test_the_same_piece_again_counts_once() -> None:
    assert first(["一二三四" * 9], ["一二三四五六七八"], min_share=0.7) == [NOTHING]


def test_an_item_once_missed_is_found_farther_on() -> None:
    text = QUESTION[:10] + "別の話が長く続き、ようやく元に戻る。" * 5 + QUESTION
    assert first([text], [QUESTION]) == [0]


@given(st.lists(st.text("あいうえお", min_size=4, max_size=9), max_size=4), st.text("あいうえお", max_size=40))
def test_a_whole_item_is_always_found_and_the_first_of_them_is_named(items: list[str], text: str) -> None:
    (found,) = first([text], items, min_share=1)
    whole = [number for number, item in enumerate(items) if item in text]
    if whole:
        assert NOTHING < found <= whole[0]


def test_documents_do_not_run_into_each_other() -> None:
    assert first([QUESTION[:15], QUESTION[15:]], [QUESTION]) == [NOTHING, NOTHING]
