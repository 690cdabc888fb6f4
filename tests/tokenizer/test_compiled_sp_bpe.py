"""The compiled SentencePiece BPE beside the library's own: the same ids for any text."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tokenizer.sp_models import ANY_TEXT, FRAGMENTS, MIXED, V1, V3, assert_same_ids, learned, sp_bpe
from tokenizer.bpe_kernel import LONGEST_WORD
from tokenizer.compile import compiled
from tokenizer.compiled import Compiled
from tokenizer.sp_bpe import SpBpe
from tokenizer.sp_definition import definition_of
from tokenizer.sp_model import SpModel

REPLACE: dict[str, Any] = {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}
METASPACE: dict[str, Any] = {"type": "Metaspace", "replacement": "\u2581", "split": False}
LAYOUTS: dict[str, dict[str, Any]] = {
    "Llama 2, Mistral": {},
    "as transformers 5 writes them": {"normalizer": None, "pre_tokenizer": {**METASPACE, "prepend_scheme": "first"}},
    "always": {"normalizer": None, "pre_tokenizer": {**METASPACE, "prepend_scheme": "always"}},
    "never": {"normalizer": None, "pre_tokenizer": {**METASPACE, "prepend_scheme": "never"}},
    "Gemma: no prefix": {"normalizer": REPLACE},
}


@pytest.fixture(scope="module", params=list(LAYOUTS))
def tokenizer(request: pytest.FixtureRequest) -> SpBpe:
    """A tokenizer with new tokens in each layout."""
    base = sp_bpe()
    extended = base.extended(learned(base))
    return SpBpe({**extended.definition, **LAYOUTS[request.param]}, "made")


@pytest.fixture(scope="module")
def encoder(tokenizer: SpBpe) -> Compiled:
    """The same compiled."""
    made = compiled(tokenizer)
    assert made is not None
    return made


@settings(max_examples=60, deadline=None)
@given(texts=st.lists(ANY_TEXT | MIXED, min_size=1, max_size=4))
def test_the_ids_are_those_of_the_library(tokenizer: SpBpe, encoder: Compiled, texts: list[str]) -> None:
    assert_same_ids(tokenizer, encoder, texts)


def test_any_two_fragments_side_by_side_too(tokenizer: SpBpe, encoder: Compiled) -> None:
    assert_same_ids(tokenizer, encoder, [one + other for one in FRAGMENTS for other in FRAGMENTS])


def test_what_is_too_long_to_search_is_encoded_by_the_library(tokenizer: SpBpe, encoder: Compiled) -> None:
    for length in (LONGEST_WORD - 1, LONGEST_WORD, LONGEST_WORD + 1, 2 * LONGEST_WORD):
        assert_same_ids(tokenizer, encoder, ["before", " " * length, "a" + " " * length + "b", "after"])


@settings(max_examples=150, deadline=None)
@given(
    joins=st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=6),
    texts=st.lists(st.text("abc ", max_size=20), min_size=1, max_size=3),
)
def test_merges_in_any_order_over_any_seam_end_as_in_the_library(
    joins: list[tuple[int, int]], texts: list[str]
) -> None:
    definition = copy.deepcopy(SMALL.definition)
    model, pieces = definition["model"], ["a", "b", "c", "\u2581"]
    model["vocab"] = {piece: number for piece, number in model["vocab"].items() if len(piece) == 1 or "<" in piece}
    for piece in pieces:
        model["vocab"].setdefault(piece, 1000 + len(model["vocab"]))
    model["merges"] = []
    for left, right in joins:
        pair = [pieces[left % len(pieces)], pieces[right % len(pieces)]]
        if pair not in model["merges"]:
            model["merges"].append(pair)
            pieces.append("".join(pair))
            model["vocab"].setdefault(pieces[-1], 1000 + len(model["vocab"]))
    made = SpBpe(definition, "made")
    encoder = compiled(made)
    assert encoder is not None
    assert_same_ids(made, encoder, texts)


SMALL = sp_bpe()


def test_an_added_token_that_is_not_special_is_found_first() -> None:
    added = SMALL.definition["added_tokens"]
    more = {**added[0], "id": SMALL.size, "content": "umpx", "special": False}
    made = SpBpe({**SMALL.definition, "added_tokens": [*added, more]}, "made")
    encoder = compiled(made)
    assert encoder is not None
    assert SMALL.size in made.encode("the umpx")
    assert_same_ids(made, encoder, ["the umpx", "the valve", "<s> umpx </s>"])


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"normalizer": {"type": "NFKC"}}, id="another normaliser"),
        pytest.param({"normalizer": None}, id="spaces stay"),
        pytest.param({"pre_tokenizer": {"type": "Whitespace"}}, id="words"),
        pytest.param({"normalizer": None, "pre_tokenizer": {**METASPACE, "split": True}}, id="words at spaces"),
        pytest.param({"model": {**SMALL.definition["model"], "dropout": 0.1}}, id="dropout"),
        pytest.param({"model": {**SMALL.definition["model"], "ignore_merges": True}}, id="ignore_merges"),
        pytest.param({"truncation": {"max_length": 9}}, id="truncation"),
    ],
)
def test_what_is_not_known_is_left_to_the_library(change: dict[str, Any]) -> None:
    assert compiled(SpBpe({**SMALL.definition, **change}, "made")) is None


@pytest.mark.slow
@pytest.mark.parametrize("path", [V1, V3], ids=["Mistral v1", "Mistral v3"])
def test_every_character_between_others_has_the_ids_of_the_library(path: Path) -> None:
    base = SpBpe(definition_of(SpModel.read(path), {}), "Mistral")
    extended = base.extended(learned(base))
    encoder = compiled(extended)
    assert encoder is not None
    points = [chr(point) for point in range(0x110000) if not 0xD800 <= point < 0xE000]
    assert_same_ids(extended, encoder, ["a".join(points[at : at + 500]) for at in range(0, len(points), 500)])
    assert_same_ids(extended, encoder, ["".join(points[at : at + 500]) for at in range(0, len(points), 500)])
