"""The preset fineweb2-ja decides as a plain reading of FineWeb2's filters does, document by document."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.schema.preset import load_preset
from corpus.batch import BatchBuilder
from corpus.judge import judge
from corpus.normalise.characters import remove_invisible
from corpus.rules import check_preset, reason_words
from tests.corpus.reference_fineweb2 import first_reason
from tests.corpus.shared_texts import PARTS, PIECES, all_texts, some_texts

FINEWEB2 = load_preset("fineweb2-ja")


def decided(texts: Iterable[str]) -> list[str | None]:
    """Reasons by the preset."""
    builder = BatchBuilder("web", "a", "", "ja")
    for position, text in enumerate(texts):
        builder.add(text, position, "utf-8")
    batch = builder.take()
    assert batch is not None
    return reason_words(judge(batch, FINEWEB2.rules)[1], FINEWEB2.rules)


def test_a_sample_of_the_shared_corpus_is_decided_as_published() -> None:
    check_preset(FINEWEB2, "fineweb2-ja")
    texts = [remove_invisible(text) for text in some_texts(30, seed=9) if len(text) < 3000]
    plain = [first_reason(text) for text in texts]
    assert decided(texts) == plain
    assert set(plain) >= {None, "repeated_lines"}


@pytest.mark.soak
@pytest.mark.timeout(3 * 3600)
@pytest.mark.parametrize("part", range(PARTS))
def test_all_of_the_shared_corpus_is_decided_as_published(part: int) -> None:
    # A text that is cut for the sake of MeCab may be cut into other words.
    whole = (text for text in islice(all_texts(), part, None, PARTS) if len(text) < 100_000)
    texts = map(remove_invisible, whole)
    while some := list(islice(texts, 1000)):
        assert decided(some) == [first_reason(text) for text in some]


@settings(max_examples=60)
@given(st.lists(st.sampled_from(PIECES), max_size=40))
def test_texts_around_the_bounds_are_decided_as_published(pieces: list[str]) -> None:
    assert decided(["".join(pieces)]) == [first_reason("".join(pieces))]
