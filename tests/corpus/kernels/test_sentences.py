"""Sentences and paragraphs against Python's own splitting."""

from __future__ import annotations

import re
from collections import Counter

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from corpus.batch import utf8_of
from corpus.kernels.sentences import COUNTS, count_sentences

TEXTS = st.lists(
    st.text("あ漢。！!．\n…・ \u3000\u2028a𠮷", max_size=40)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
    max_size=4,
)


def again(pieces: list[str]) -> tuple[int, int]:
    """Pieces that stood before, and their characters."""
    extra = [(piece, count - 1) for piece, count in Counter(pieces).items()]
    return sum(count for _, count in extra), sum(count * len(piece) for piece, count in extra)


@given(TEXTS)
def test_pieces_are_those_of_the_published_expression(texts: list[str]) -> None:
    counts_NC = count_sentences(*utf8_of(pa.array(texts, pa.large_string())))
    for text, row in zip(texts, counts_NC.tolist(), strict=True):
        counted = dict(zip(COUNTS, row, strict=True))
        lines = [re.findall("[^。．！？!?]+[。．！？!?]?", line) for line in text.split("\n")]
        paragraphs, sentences = ["".join(line) for line in lines], [one for line in lines for one in line]
        assert counted["characters"] == len(text)
        assert (counted["paragraphs"], counted["sentences"]) == (len(paragraphs), len(sentences))
        assert (counted["repeated_paragraphs"], counted["repeated_paragraph_characters"]) == again(paragraphs)
        assert (counted["repeated_sentences"], counted["repeated_sentence_characters"]) == again(sentences)
        assert counted["sentence_characters"] == sum(map(len, sentences))
        assert counted["longest_sentence"] == max(map(len, sentences), default=0)
        assert counted["ellipsis_sentences"] == sum(one.strip().endswith(("・", "…")) for one in sentences)
