"""Class counts against a plain reading of the same text, character by character."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.batch import utf8_of
from corpus.kernels.classes import CLASSES, count_classes

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40) | st.text(
    "ぁんゔゝゟァヶーヽヿㇰｦﾟ々〇㐀一豈𠀀𱍐AzＡｚÀÿ09０９ \t\u3000\xa0\n。．！？!?.…‥\ufffd縺繧繝ã\x80\x9f・゛",
    max_size=40,
)


def class_of(text: str, at: int) -> str:
    """The class of one character, told from the Unicode blocks."""
    character, following = text[at], text[at + 1 : at + 2]
    point = ord(character)
    ranges = {
        "mojibake": [(0x80, 0x9F), (0x7E3A, 0x7E3A), (0x7E67, 0x7E67), (0x7E5D, 0x7E5D), (0xE3, 0xE3)],
        "hiragana": [(0x3041, 0x3096), (0x309D, 0x309F)],
        "katakana": [(0x30A1, 0x30FA), (0x30FC, 0x30FF), (0x31F0, 0x31FF), (0xFF66, 0xFF9F)],
        "kanji": [(0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x31FFF), (0x3005, 0x3007)],
        "latin": [(0x41, 0x5A), (0x61, 0x7A), (0xFF21, 0xFF3A), (0xFF41, 0xFF5A), (0xC0, 0xFF)],
        "digit": [(0x30, 0x39), (0xFF10, 0xFF19)],
    }
    for name, spans in ranges.items():
        if any(first <= point <= last for first, last in spans):
            return name
    if character == ".":
        return "full_stop" if following == "" or following in "\n \"')" else "other"
    words = {
        "space": " \t\u3000\xa0",
        "newline": "\n",
        "full_stop": "。．！？!?",
        "ellipsis": "…‥",
        "replacement": "\ufffd",
    }
    return next((name for name, members in words.items() if character in members), "other")


@given(st.lists(TEXT, min_size=1, max_size=4))
def test_counts_are_those_of_a_plain_reading(texts: list[str]) -> None:
    counts_NC = count_classes(*utf8_of(pa.array(texts, pa.large_string())))
    plain = [[[class_of(text, at) for at in range(len(text))].count(name) for name in CLASSES] for text in texts]
    assert counts_NC.tolist() == plain


def test_every_character_of_the_first_plane_and_the_edges_of_the_others_have_their_class() -> None:
    points = [*range(0xD800), *range(0xE000, 0x10000)]
    points += [edge for plane in range(1, 17) for edge in (plane * 0x10000, plane * 0x10000 + 0xFFFF, plane * 0x12000)]
    characters = [chr(point) for point in points if point <= 0x10FFFF]
    counts_NC = count_classes(*utf8_of(pa.array(characters, pa.large_string())))
    assert [CLASSES[column] for column in counts_NC.argmax(axis=1)] == [class_of(one, 0) for one in characters]


@given(st.lists(TEXT, min_size=1, max_size=4))
def test_every_character_is_counted_once(texts: list[str]) -> None:
    counts_NC = count_classes(*utf8_of(pa.array(texts, pa.large_string())))
    assert counts_NC.sum(axis=1).tolist() == [len(text) for text in texts]


@pytest.mark.parametrize(
    ("text", "full_stops"),
    [
        pytest.param("End.", 1, id="at the end"),
        pytest.param("One. Two.\nThree.", 3, id="before space and line end"),
        pytest.param('He said "no." (Really.)', 2, id="before closing marks"),
        pytest.param("1.5 and example.com", 0, id="in numbers and names"),
        pytest.param("...", 1, id="of three dots the last"),
        pytest.param("です。ます．か？！", 4, id="Japanese"),
    ],
)
def test_a_full_stop_of_latin_text_stands_at_a_words_end(text: str, full_stops: int) -> None:
    counts_NC = count_classes(*utf8_of(pa.array([text], pa.large_string())))
    assert counts_NC[0, CLASSES.index("full_stop")] == full_stops


def test_the_end_of_one_text_is_not_the_beginning_of_the_next() -> None:
    # The full stop ends its document, whatever stands behind it in memory.
    counts_NC = count_classes(*utf8_of(pa.array(["1.", "5"], pa.large_string())))
    assert counts_NC[:, CLASSES.index("full_stop")].tolist() == [1, 0]


def test_a_part_of_a_column_is_counted_alone() -> None:
    column = pa.array(["あ", "漢漢", "a"], pa.large_string())
    counts_NC = count_classes(*utf8_of(column.slice(1, 1)))
    assert counts_NC.shape == (1, len(CLASSES))
    assert counts_NC[0, CLASSES.index("kanji")] == 2


@pytest.mark.parametrize("texts", [[], [""], ["", ""]], ids=repr)
def test_nothing_gives_nothing(texts: list[str]) -> None:
    counts_NC = count_classes(*utf8_of(pa.array(texts, pa.large_string())))
    assert counts_NC.shape == (len(texts), len(CLASSES))
    assert not np.any(counts_NC)
