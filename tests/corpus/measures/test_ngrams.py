"""Repetition by n-grams, by hand."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from corpus.batch import Batch
from corpus.measures.ngrams import ngram_measures


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            "点検点検", {"top_2gram_share": 2 / 3, "top_3gram_share": 1 / 2, "repeated_5gram_share": 0}, id="点検 twice"
        ),
        pytest.param(
            "あ" * 12, {"top_4gram_share": 1, "repeated_5gram_share": 1, "repeated_10gram_share": 1}, id="one character"
        ),
        pytest.param(
            "abcdeXabcdeY", {"repeated_5gram_share": 1 / 7, "repeated_6gram_share": 0}, id="1 of 7 different 5-grams"
        ),
        pytest.param("弁\n弁\n弁", {"top_2gram_share": 2 / 4, "top_3gram_share": 2 / 3}, id="newlines count"),
        pytest.param("弁", {"top_2gram_share": np.nan, "repeated_5gram_share": 0}, id="shorter than n"),
        pytest.param("", {"top_2gram_share": np.nan, "repeated_10gram_share": 0}, id="empty"),
    ],
)
def test_measures_by_hand(batch_of: Callable[..., Batch], text: str, expected: dict[str, float]) -> None:
    columns = ngram_measures(batch_of("前の文書。", text, "後の文書。"))
    assert {name: columns[name][1] for name in expected} == pytest.approx(expected, nan_ok=True)
