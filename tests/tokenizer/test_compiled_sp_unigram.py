"""The compiled SentencePiece Unigram beside the library's own: the same ids for any text."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tokenizer.sp_models import ANY_TEXT, FRAGMENTS, MIXED, assert_same_ids, learned, sp_unigram
from tokenizer import unigram_kernel
from tokenizer.compile import compiled
from tokenizer.compiled import Compiled
from tokenizer.sp_unigram import SpUnigram

METASPACE: dict[str, Any] = {"type": "Metaspace", "replacement": "\u2581", "split": False}
LAYOUTS: dict[str, dict[str, Any]] = {
    "by normaliser": {},
    "Metaspace": {"normalizer": None, "pre_tokenizer": {**METASPACE, "prepend_scheme": "first"}},
    "no prefix": {"normalizer": None, "pre_tokenizer": {**METASPACE, "prepend_scheme": "never"}},
}
SMALL = sp_unigram()


@pytest.fixture(scope="module", params=list(LAYOUTS))
def tokenizer(request: pytest.FixtureRequest) -> SpUnigram:
    """A tokenizer with new tokens in each layout."""
    extended = SMALL.extended(learned(SMALL))
    return SpUnigram({**extended.definition, **LAYOUTS[request.param]}, "made")


@pytest.fixture(scope="module")
def encoder(tokenizer: SpUnigram) -> Compiled:
    """The same compiled."""
    made = compiled(tokenizer)
    assert made is not None
    return made


@settings(max_examples=60, deadline=None)
@given(texts=st.lists(ANY_TEXT | MIXED, min_size=1, max_size=4))
def test_the_ids_are_those_of_the_library(tokenizer: SpUnigram, encoder: Compiled, texts: list[str]) -> None:
    assert_same_ids(tokenizer, encoder, texts)


def test_any_two_fragments_side_by_side_too(tokenizer: SpUnigram, encoder: Compiled) -> None:
    assert_same_ids(tokenizer, encoder, [one + other for one in FRAGMENTS for other in FRAGMENTS])


@settings(max_examples=100, deadline=None)
@given(
    pieces=st.lists(st.tuples(st.text("ab\u2581", min_size=1, max_size=4), st.sampled_from([-1.0, -2.0, -2.5, -4.0]))),
    texts=st.lists(st.text("ab ", max_size=16), min_size=1, max_size=3),
)
def test_of_equally_good_cuts_it_is_the_one_of_the_library(pieces: list[tuple[str, float]], texts: list[str]) -> None:
    model = SMALL.definition["model"]
    vocab = [*model["vocab"][:259], ["\u2581", -3.0]]
    vocab += [[piece, score] for piece, score in dict(pieces).items() if piece != "\u2581"]
    made = SpUnigram({**SMALL.definition, "model": {**model, "vocab": vocab}}, "made")
    encoder = compiled(made)
    assert encoder is not None
    assert_same_ids(made, encoder, texts)


@pytest.mark.slow
def test_a_document_too_long_for_memory_is_encoded_by_the_library() -> None:
    encoder = compiled(SMALL)
    assert encoder is not None
    texts = ["before", "a" * (unigram_kernel.LONGEST_TEXT + 1), "after"]
    ids_T, count_N = encoder.encode(pa.array(texts, pa.large_string()))
    ours = np.split(ids_T, np.cumsum(count_N)[:-1])
    assert all(np.array_equal(ids, SMALL.encode(text)) for text, ids in zip(texts, ours, strict=True))


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"normalizer": {"type": "NFKC"}}, id="another normaliser"),
        pytest.param({"normalizer": None, "pre_tokenizer": {**METASPACE, "split": True}}, id="words at spaces"),
        pytest.param({"truncation": {"max_length": 9}}, id="truncation"),
    ],
)
def test_what_is_not_known_is_left_to_the_library(change: dict[str, Any]) -> None:
    assert compiled(SpUnigram({**SMALL.definition, **change}, "made")) is None


@pytest.mark.slow
def test_every_character_between_others_has_the_ids_of_the_library(tokenizer: SpUnigram, encoder: Compiled) -> None:
    points = [chr(point) for point in range(0x110000) if not 0xD800 <= point < 0xE000]
    assert_same_ids(tokenizer, encoder, ["の".join(points[at : at + 500]) for at in range(0, len(points), 500)])
