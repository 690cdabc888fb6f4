"""Shapes of numbers, in ASCII and full width, and where they begin and end."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.batch import utf8_of
from corpus.kernels.numbers import DOTTED, HEXADECIMAL, HYPHENATED, LONG_NUMBER, find_numbers

WIDE = str.maketrans("0123456789-. ()", "０１２３４５６７８９－．　（）")


def found(*texts: str) -> list[tuple[int, str, int]]:
    """Row, words and shapes of what is found."""
    hits = find_numbers(*utf8_of(pa.array(texts, type=pa.large_string()))).tolist()
    return [(row, texts[row][start:end], shapes) for row, start, end, shapes in hits]


@pytest.mark.parametrize("width", [pytest.param({}, id="ascii"), pytest.param(WIDE, id="full width")])
@pytest.mark.parametrize(
    ("text", "number", "shapes"),
    [
        pytest.param("電話1234567。", "1234567", LONG_NUMBER, id="seven digits"),
        pytest.param("電話123456。", None, 0, id="six digits"),
        pytest.param("x (03) 1234 5678 ", "03) 1234 5678", LONG_NUMBER, id="joined"),
        pytest.param("x 123    4567", None, 0, id="too far apart"),
        pytest.param("x 123   4567", "123   4567", LONG_NUMBER, id="just near enough"),
        pytest.param("1.2.3.4", "1.2.3.4", DOTTED, id="three dots"),
        pytest.param("1.2.3", None, 0, id="two dots"),
        pytest.param("芝4-2", "4-2", HYPHENATED, id="behind Japanese"),
        pytest.param("芝 4-2", "4-2", HYPHENATED, id="behind Japanese and a space"),
        pytest.param("2024年10月15日", None, 0, id="a date is no number"),
    ],
)
def test_a_number_has_its_shape_in_every_width(
    width: dict[int, str], text: str, number: str | None, shapes: int
) -> None:
    expected = [] if number is None else [(0, number.translate(width), shapes)]
    assert found(text.translate(width)) == expected


def test_hyphens_behind_latin_are_no_house_number() -> None:
    assert found("x4-2") == []


@pytest.mark.parametrize("hyphen", "-‐‑‒–—―−ーｰ－の")
def test_every_hyphen_joins(hyphen: str) -> None:
    assert found(f"芝4{hyphen}2") == [(0, f"4{hyphen}2", HYPHENATED)]


@pytest.mark.parametrize("text", ["2001:db8::1", "fe80::1", "FE80::1"])
def test_four_hexadecimal_digits_before_a_colon_begin_an_address(text: str) -> None:
    assert [shapes for _, _, shapes in found(text)] == [HEXADECIMAL]


@pytest.mark.parametrize("text", ["12:34:56", "201:1", "g001:1", "1001:1", ":", "200g:1"])
def test_other_colons_begin_none(text: str) -> None:
    assert found(text) == []


@given(st.lists(st.text("19０９-－ー.．() あa:f\n", max_size=24), max_size=4))
def test_a_text_is_read_by_itself_and_a_number_begins_and_ends_with_a_digit(texts: list[str]) -> None:
    together = found(*texts)
    assert together == [(row, *hit[1:]) for row, text in enumerate(texts) for hit in found(text)]
    assert all(number[0].isdigit() and number[-1].isdigit() for _, number, bits in together if bits != HEXADECIMAL)


def test_there_is_room_for_more_numbers_than_are_usual() -> None:
    assert len(found("1234567。" * 20_000)) == 20_000
