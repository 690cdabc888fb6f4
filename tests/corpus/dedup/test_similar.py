"""Similar with spaces or without."""

from __future__ import annotations

import pytest

from corpus.dedup.similar import Shingles, similar

TEXT = "吸込側の弁を閉じてから、電源を切ること。"


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        pytest.param(TEXT, TEXT.replace("、", "、\n"), True, id="wrapped anew"),
        pytest.param(
            "甲 乙 丙 丁 戊 己 庚 辛 壬", "甲 乙 丙 丁 戊 己 庚 辛 癸", True, id="12 of 14 with spaces, 4 of 6 without"
        ),
        pytest.param("甲乙丙丁戊己庚辛壬", "甲乙丙丁戊己庚辛癸", False, id="4 of 6 in both forms"),
        pytest.param("", " ", False, id="nothing to compare"),
    ],
)
def test_one_of_the_two_forms_is_enough(one: str, other: str, expected: bool) -> None:
    assert similar(Shingles(one.encode()), Shingles(other.encode()), 0.8) is expected
    assert similar(Shingles(other.encode()), Shingles(one.encode()), 0.8) is expected


@pytest.mark.parametrize(("threshold", "expected"), [(0.8, True), (0.801, False)])
def test_on_the_threshold_two_texts_are_similar(threshold: float, expected: bool) -> None:
    # 9 shingles each, 8 of them the same in both: 8 of 10.
    one, other = "一二三四五六七八九十百千万", "零二三四五六七八九十百千万"
    assert similar(Shingles(one.encode()), Shingles(other.encode()), threshold) is expected
