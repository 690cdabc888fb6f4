"""FineWeb2's lines and words, by hand."""

from __future__ import annotations

from collections.abc import Callable
from math import nan

import pytest

from corpus.batch import Batch
from corpus.measures.fineweb import line_and_word_measures


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("点検。\n\n点検。\n記録", (1 / 3, 2 / 3, 3 / 8), id="a line again"),
        pytest.param("点検！\n \n 点検", (0, 1 / 2, 0), id="a blank line is a line between newlines only"),
        pytest.param(
            "\n点検．\n", (1 / 3, 1, 0), id="before the first newline and behind the last there is nothing, twice"
        ),
        pytest.param("\n \n", (nan, nan, nan), id="blank"),
        pytest.param("", (nan, nan, nan), id="empty"),
    ],
)
def test_lines_by_hand(batch_of: Callable[..., Batch], text: str, expected: tuple[float, ...]) -> None:
    found = [values[1] for values in line_and_word_measures(batch_of("前。", text)).values()][:3]
    assert found == pytest.approx(list(expected), nan_ok=True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # 弁 を 閉じる 。
        pytest.param(
            "弁を閉じる。",
            {
                "words": 3,
                "characters_per_word": 5 / 3,
                "alphabetic_word_share": 3 / 4,
                "stop_words": 1,
                "top_2word_share": 3 / 6,
            },
            id="the first of several 2-grams, with its space",
        ),
        pytest.param("弁を閉じる。" * 2, {"top_2word_share": 6 / 12, "repeated_5word_character_share": 0}, id="twice"),
        # Eight places for 5-grams of twelve words; those at 4, and then none but five words later, stood before.
        pytest.param("弁を閉じる。" * 3, {"repeated_5word_character_share": 7 / 18}, id="from left to right"),
        pytest.param(
            "- 弁\n# 水…\n• 火 ... \n",
            {"newlines_per_word": 3 / 10, "bullet_line_share": 2 / 3, "ellipsis_end_line_share": 2 / 3},
            id="bullets and ellipses",
        ),
        pytest.param("。。", {"words": 0, "characters_per_word": nan}, id="signs alone"),
        pytest.param(" \n", {"words": nan, "stop_words": nan}, id="blank"),
    ],
)
def test_words_by_hand(batch_of: Callable[..., Batch], text: str, expected: dict[str, float]) -> None:
    columns = line_and_word_measures(batch_of("前。", text))
    assert {name: columns[name][1] for name in expected} == pytest.approx(expected, nan_ok=True)
