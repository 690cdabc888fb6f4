"""What holds for both kinds of SentencePiece tokenizers, with tokens and without."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from tests.tokenizer.sp_models import ANY_TEXT, MIXED, learned, sp_bpe, sp_unigram
from tokenizer.extendable import Extendable
from tokenizer.invariants import check


@pytest.fixture(scope="module", params=[sp_bpe, sp_unigram], ids=["BPE", "Unigram"])
def base(request: pytest.FixtureRequest) -> Extendable:
    """A base with both files."""
    made: Extendable = request.param()
    return made


@pytest.fixture(scope="module")
def extended(base: Extendable) -> Extendable:
    """The same with tokens."""
    return base.extended(learned(base))


@given(text=ANY_TEXT | MIXED)
@settings(max_examples=150, deadline=None)
def test_bytes_of_ids_are_the_text_as_it_was_normalised(extended: Extendable, text: str) -> None:
    ids = extended.encode(text)
    assert b"".join(extended.bytes_of[number] for number in ids) == extended.normalised(text).encode()


@given(text=ANY_TEXT | MIXED)
@settings(max_examples=150, deadline=None)
def test_all_invariants_hold_for_any_unicode_text(base: Extendable, extended: Extendable, text: str) -> None:
    assert check(base, extended, [text]) == []
