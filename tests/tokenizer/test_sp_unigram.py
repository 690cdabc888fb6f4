"""SentencePiece Unigram with byte fallback: what is added, in `tokenizer.json` and in `tokenizer.model`."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from tests.tokenizer.sp_models import ANY_TEXT, MIXED, TEXTS, learned, sp_unigram
from tokenizer.characters import spelt_characters, with_characters
from tokenizer.extendable import Extension
from tokenizer.invariants import check, check_units
from tokenizer.learn import extend, learn
from tokenizer.sp_unigram import SpUnigram
from tokenizer.units import count_units, pack_unit, to_batch


@pytest.fixture(scope="module")
def base() -> SpUnigram:
    """A base with both files."""
    return sp_unigram()


@pytest.fixture(scope="module")
def extended(base: SpUnigram) -> SpUnigram:
    """The same with tokens."""
    return base.extended(learned(base))


@given(text=ANY_TEXT | MIXED)
@settings(max_examples=150, deadline=None)
def test_the_definition_of_a_model_gives_its_ids(base: SpUnigram, text: str) -> None:
    assert base.model is not None
    assert base.same_cut(base.encode(text), base.model.encode(text))


def test_what_is_learned_shortens_text_and_crosses_no_morpheme(base: SpUnigram, extended: SpUnigram) -> None:
    extension = learned(base)
    assert "課".encode() in extension.tokens  # of bytes until now
    assert "電源".encode() in extension.tokens
    assert check_units(base, extension.tokens, [to_batch(count_units(TEXTS, base))]) == []
    assert len(extended.encode(TEXTS[0])) < len(base.encode(TEXTS[0]))


def test_scores_are_log_frequencies_within_those_of_the_base(base: SpUnigram, extended: SpUnigram) -> None:
    extension = learned(base)
    lowest, highest = min(base.score_of.values()), max(base.score_of.values())
    for number, count in enumerate(extension.counts, start=base.size):
        expected = min(max(math.log(count / extension.total), lowest), highest)
        assert extended.score_of[number] == float(np.float32(expected))
    assert {number: extended.score_of[number] for number in base.score_of} == base.score_of
    assert min(extended.score_of.values()) == lowest
    assert max(extended.score_of.values()) == highest


@pytest.mark.parametrize(("count", "bound"), [(10**9, max), (1, min)], ids=["no higher", "no lower"])
def test_a_score_outside_of_the_base_is_drawn_to_its_bound(base: SpUnigram, count: int, bound: Any) -> None:
    extended = base.extended(Extension(base.size, ("鶴".encode(),), (), (count,), total=10**9))
    assert extended.score_of[base.size] == bound(base.score_of.values())


def test_a_candidate_that_no_text_is_cut_into_is_left_out_and_another_comes(base: SpUnigram) -> None:
    counts = {"電源": 1000, "表の": 1000, "電源表": 3, "保証": 2}
    batch = to_batch(Counter({pack_unit(base.spelt(text.encode())): count for text, count in counts.items()}))
    characters = spelt_characters(base, [batch], 2)
    units = list(with_characters(base, characters, [batch]))
    assert "電源表".encode() in learn(base.extended(characters), units, 99, 2, frozenset()).tokens
    everything = extend(base, [batch], 99, 2)
    assert "電源表".encode() not in everything.tokens
    assert everything.tokens[-1] == "保証".encode()
    assert extend(base, [batch], len(everything.tokens), 2).tokens == everything.tokens
    assert extend(base, [batch], len(everything.tokens) - 1, 2).tokens == everything.tokens[:-1]


def test_text_that_spells_a_special_token_or_a_byte_stays_text(base: SpUnigram) -> None:
    for text in ("<s>", "a</s>b", "<unk>", "<0x0A>", "<<s>>"):
        ids = base.encode(text)
        assert not set(ids) & base.added_ids
        assert b"".join(base.bytes_of[number] for number in ids).decode() == f" {text}"
    assert base.encode("点検\n") == base.encode_as_loaded("点検\n")
    assert base.encode("</s>") != base.encode_as_loaded("</s>")


def test_two_cuts_of_equal_score_are_the_same_and_a_worse_one_is_not(base: SpUnigram) -> None:
    ids = base.encode("ポンプの点検")
    assert base.same_cut(ids, ids)
    assert not base.same_cut(ids, [*ids, ids[-1]])
    assert not base.same_cut(base.encode("定"), base.encode("量"))


def test_added_tokens_of_the_json_alone_get_their_ids(base: SpUnigram) -> None:
    added = base.definition["added_tokens"]
    more = [{**added[0], "id": base.size, "content": "<|im_end|>"}]
    grown = SpUnigram({**base.definition, "added_tokens": [*added, *more]}, "with added tokens", base.model)
    extended = grown.extended(learned(grown))
    assert extended.backend.token_to_id("<|im_end|>") == base.size
    assert extended.model is not None
    assert extended.model.pieces[base.size] == "<|im_end|>"
    assert check(grown, extended, TEXTS) == []
