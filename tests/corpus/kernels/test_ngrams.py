"""n-grams against Python's own counting."""

from __future__ import annotations

from collections import Counter

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from corpus.batch import utf8_of
from corpus.kernels.ngrams import count_ngrams

# Few characters give many repetitions; 𠮷 has four bytes.
TEXTS = st.lists(
    st.text("ab漢𠮷\n", max_size=60) | st.text(st.characters(exclude_categories=["Cs"]), max_size=30), max_size=4
)


@given(TEXTS)
def test_every_n_is_counted_as_python_counts_it(texts: list[str]) -> None:
    counted = count_ngrams(*utf8_of(pa.array(texts, pa.large_string())), 10)
    assert counted.characters_N.tolist() == [len(text) for text in texts]
    for row, text in enumerate(texts):
        for n in range(2, 11):
            counts = Counter(text[at : at + n] for at in range(len(text) - n + 1)).values()
            plain = (len(counts), sum(count > 1 for count in counts), max(counts, default=0))
            assert tuple(column[row, n - 2] for column in counted[1:4]) == plain


def test_what_stands_between_two_repeated_ngrams_is_not_forgotten() -> None:
    # abc and def come twice each, and nothing between them does: no 4-gram comes twice.
    counted = count_ngrams(*utf8_of(pa.array(["abcXdefYabcZdefW"], pa.large_string())), 5)
    assert counted.again_NF.tolist() == [[4, 2, 0, 0]]
    assert counted.most_NF.tolist() == [[2, 2, 1, 1]]
