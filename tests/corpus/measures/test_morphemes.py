"""Morphemes and repetition as HojiChar measures them, by hand."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from corpus.batch import Batch
from corpus.measures import morphemes as module
from corpus.measures.morphemes import morphemes
from corpus.measures.repetition import forum_marks, frequent_ngrams


@pytest.mark.parametrize(
    ("text", "nouns", "repeated"),
    [
        pytest.param("弁を閉じる。", 1 / 3, 0, id="弁 を 閉じる, and a sign"),
        pytest.param("弁、水、火", 1, 0, id="nouns and signs"),
        pytest.param("。、", 0, 0, id="signs alone"),
        pytest.param("", 0, 0, id="empty"),
        # 弁 を 閉じる 。 four times: 16 morphemes, 10 places, the 7-grams at 0, 1 and 2 occur three or two times.
        pytest.param("弁を閉じる。" * 4, 1 / 3, 1, id="all 7-grams again"),
        pytest.param("弁を閉じる。" * 2, 1 / 3, 0, id="eight morphemes, two places, none again"),
    ],
)
def test_morphemes_by_hand(batch_of: Callable[..., Batch], text: str, nouns: float, repeated: float) -> None:
    columns = morphemes(batch_of("前。", text))
    assert (columns["noun_share"][1], columns["repeated_7word_share"][1]) == (nouns, repeated)


def test_a_long_text_is_parsed_in_pieces_that_end_with_a_line(
    batch_of: Callable[..., Batch], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "弁を閉じる。\n水を止める。\n"
    whole = morphemes(batch_of(text * 3))
    monkeypatch.setattr(module, "_AT_ONCE", 10)
    assert [len(part) for part in module._parts(text)] == [7, 7]
    assert [len(part) for part in module._parts("あ" * 25)] == [10, 10, 5]
    assert {name: list(values) for name, values in morphemes(batch_of(text * 3)).items()} == {
        name: list(values) for name, values in whole.items()
    }


@pytest.mark.parametrize(
    ("text", "share"),
    [
        pytest.param("abcdefgh", 0, id="none again"),
        pytest.param("abcdeXabcdeY", 2 / 8, id="abcde twice, of seven different: one of at most two"),
        pytest.param("a" * 10, 1, id="one 5-gram, six times"),
        pytest.param("abc", 0, id="short"),
    ],
)
def test_frequent_5grams_by_hand(batch_of: Callable[..., Batch], text: str, share: float) -> None:
    assert frequent_ngrams(batch_of("前の文書。", text, "後"))["frequent_5gram_share"][1] == share


def test_forum_marks_by_hand(batch_of: Callable[..., Batch]) -> None:
    text = "2024年1月 2日(火) 2024-01-02 コメント SOLD OUT 第12話 TP-120 24年1月"
    assert forum_marks(batch_of(text, ""))["forum_marks"].tolist() == [7, 0]
