from __future__ import annotations

from pathlib import Path

import pytest

from configs.errors import UserError
from tokenizer.curve_lines import curve_lines
from tokenizer.curve_picture import refuse_other_pictures
from tokenizer.gain import Point
from tokenizer.recommend import Recommendation

POINTS = [
    Point(0, {"ja": 1.0, "code": None}, 1.0, 49_152, 0, 0, 0, 0.0),
    Point(250, {"ja": 1.5, "code": None}, 1.5, 49_402, 288_000, 1_728_000, 7, 0.321),
]


def test_the_table_has_a_line_for_each_number_then_other_tokenizers_then_the_advice() -> None:
    advice = Recommendation(250, "because")
    head, names, *rows, last = curve_lines(POINTS, advice, {"other": {"ja": 1.25, "code": 3.0}})
    assert head.split() == ["characters", "per", "token"]
    assert names.split() == ["new", "tokens", "ja", "code", "rows", "weights", "state", "seldom", "FLOPs", "saved"]
    assert [row.split() for row in rows] == [
        ["0", "1.000", "-", "49,152", "0.0", "MB", "0.0", "MB", "0", "0.0%"],
        ["250", "1.500", "-", "49,402", "0.3", "MB", "1.7", "MB", "7", "32.1%"],
        ["1.250", "3.000", "other"],
    ]
    assert last == "tokenizer.add: 250 (because)"


def test_no_tokens_are_an_advice_too_and_what_nobody_knows_is_a_dash() -> None:
    unknown = Point(0, {"ja": 1.0}, 1.0, None, None, None, None, None)
    *_, row, last = curve_lines([unknown], Recommendation(0, "keep the base's tokenizer: it is good"), {})
    assert row.split() == ["0", "1.000", "-", "-", "-", "-", "-"]
    assert last == "add no tokens (keep the base's tokenizer: it is good)"


@pytest.mark.parametrize("name", ["curve.svg", "curve.png"])
def test_a_picture_may_be_of_two_kinds(name: str) -> None:
    refuse_other_pictures(Path(name))
    with pytest.raises(UserError, match=r"curve\.pdf: a picture ends in \.svg or \.png"):
        refuse_other_pictures(Path("curve.pdf"))
