"""Lines, full stops and runs, by hand."""

from __future__ import annotations

from collections.abc import Callable
from math import inf, nan

import pytest

from corpus.batch import Batch
from corpus.measures.compression import compression
from corpus.measures.form import form_measures


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            "点検。記録。",
            {"visible_characters": 6, "characters_per_full_stop": 3, "short_line_share": 1},
            id="two stops",
        ),
        pytest.param(
            "a \n\u3000\u2028𠮷", {"visible_characters": 2, "characters_per_full_stop": inf}, id="spaces of any kind"
        ),
        pytest.param(
            "", {"characters_per_full_stop": nan, "kana_in_first_50": 0, "longest_character_run": 0}, id="empty"
        ),
        pytest.param(
            "漢" * 49 + "ンあ", {"kana_in_first_50": 1, "longest_character_run": 49}, id="the 50th and the 51st"
        ),
        pytest.param("ゔヴーゝ", {"kana_in_first_50": 0}, id="beyond ん and ン"),
        pytest.param("続く…\n..\n....\n…", {"ellipsis_line_share": 2 / 3}, id="... and …, before a newline"),
        pytest.param("続く…", {"ellipsis_line_share": 0}, id="no newline"),
        pytest.param(f"{'あ' * 11}\n{'い' * 10}\n", {"short_line_share": 2 / 3}, id="11 characters, 10 and none"),
    ],
)
def test_measures_by_hand(batch_of: Callable[..., Batch], text: str, expected: dict[str, float]) -> None:
    columns = form_measures(batch_of("前の行。", text, "後…\n"))
    assert {name: columns[name][1] for name in expected} == pytest.approx(expected, nan_ok=True)


def test_the_ratio_of_zlib_by_hand(batch_of: Callable[..., Batch]) -> None:
    ratios = compression(batch_of("a" * 200, ""))["zlib_ratio"]
    assert ratios[0] == 12 / 200  # the stream that llm-jp's own docstring gives as 0.06
    assert ratios[1] != ratios[1]
