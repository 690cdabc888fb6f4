"""Letters, sentences and paragraphs, by hand."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from corpus.batch import Batch
from corpus.measures.sentences import sentence_measures


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            "ポンプを止める。\n弁!",
            {
                "text_characters": 11,
                "swallow_japanese_characters": 9,  # all but the newline and !
                "swallow_japanese_share": 9 / 11,
                "swallow_hiragana_share": 3 / 9,
                "swallow_katakana_share": 3 / 9,
                "characters_per_sentence": (8 + 2) / 2,
                "longest_sentence": 8,
                "repeated_paragraph_share": 0,
            },
            id="two lines",
        ),
        pytest.param(
            "カー・〇𠮷", {"swallow_japanese_characters": 2, "swallow_katakana_share": 0.5}, id="ー ・ 𠮷 are none"
        ),
        pytest.param(
            "点検。点検。\n点検。",
            {
                "repeated_sentence_share": 2 / 3,
                "repeated_sentence_character_share": 6 / 9,
                "repeated_paragraph_share": 0,
                "repeated_paragraph_character_share": 0,
            },
            id="a sentence three times, in different paragraphs",
        ),
        pytest.param(
            "点検。\n\n点検。！！\n",
            {"repeated_paragraph_share": 2 / 4, "repeated_paragraph_character_share": 3 / 6, "longest_sentence": 3},
            id="further end marks belong to nothing, and an empty line is a paragraph",
        ),
        pytest.param(
            "終わり…\nまだ。\n続く・ \u3000", {"ellipsis_sentence_share": 2 / 3}, id="spaces after an ellipsis"
        ),
        pytest.param("終…わり。", {"ellipsis_sentence_share": 0}, id="an ellipsis inside"),
        pytest.param("！？", {"longest_sentence": np.nan, "characters_per_sentence": 0}, id="no sentence"),
        pytest.param("", {"text_characters": 0, "swallow_japanese_share": 0, "longest_sentence": np.nan}, id="empty"),
    ],
)
def test_measures_by_hand(batch_of: Callable[..., Batch], text: str, expected: dict[str, float]) -> None:
    columns = sentence_measures(batch_of("前。", text, "後。"))
    assert {name: columns[name][1] for name in expected} == pytest.approx(expected, nan_ok=True)
