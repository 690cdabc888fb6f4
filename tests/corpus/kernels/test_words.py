"""Words in bytes: the same that a search word by word finds, wherever they stand in each other."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from corpus.batch import utf8_of
from corpus.kernels.words import automaton, find_words

WORDS = st.lists(st.text("ab@パス様", min_size=1, max_size=4), min_size=1, max_size=6, unique=True)
TEXTS = st.lists(st.text("abAB@パス様。", max_size=30), max_size=4)


def found(texts: list[str], words: dict[str, int]) -> list[list[int]]:
    column: list[list[int]] = find_words(*utf8_of(pa.array(texts, type=pa.large_string())), automaton(words)).tolist()
    return column


@given(WORDS, TEXTS)
def test_every_word_is_found_at_its_last_character(words: list[str], texts: list[str]) -> None:
    bits = {word: 1 << number for number, word in enumerate(words)}
    expected = []
    for row, text in enumerate(texts):
        for end in range(1, len(text) + 1):
            ending = sum(bit for word, bit in bits.items() if text[:end].lower().endswith(word))
            if ending:
                expected.append([row, end - 1, end, ending])
    assert found(texts, bits) == expected


def test_there_is_room_for_more_hits_than_are_usual() -> None:
    assert len(found(["あ@" * 20_000], {"@": 1})) == 20_000


def test_two_spellings_of_a_word_set_the_bits_of_both() -> None:
    assert found(["pw PW"], {"PW": 1, "pw": 2}) == [[0, 1, 2, 3], [0, 4, 5, 3]]
