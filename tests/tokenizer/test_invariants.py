from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tokenizer.sp_models import sp_bpe, sp_unigram
from tokenizer.byte_bpe import ByteBpe
from tokenizer.extendable import Extension, Merge
from tokenizer.invariants import base_exceptions, check, check_units, cuts
from tokenizer.learn import extend
from tokenizer.sp_bpe import SpBpe
from tokenizer.units import count_units, to_batch

TEXTS = [
    "定量ポンプの点検では、最初に電源を切り、次に弁を閉じる。",
    "点検表に結果を記入して課長に渡す。Check valve 12.",
] * 4


@pytest.fixture(scope="module")
def pair(base: ByteBpe) -> tuple[ByteBpe, ByteBpe]:
    extension = extend(base, [to_batch(count_units(TEXTS, base))], 60, 2)
    return base, base.extended(extension)


def test_all_hold_for_what_was_learned(pair: tuple[ByteBpe, ByteBpe]) -> None:
    assert check(*pair, TEXTS) == []


ANY_TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"]))
MIXED = st.lists(st.sampled_from(["点検", "ポンプ", "の", "弁", " ", "12", "valve", "\n", "表", "か", "\u3099"])).map(
    "".join
)


@given(text=ANY_TEXT | MIXED)
@settings(max_examples=50, deadline=None)
def test_all_hold_for_any_unicode_text(pair: tuple[ByteBpe, ByteBpe], text: str) -> None:
    assert check(*pair, [text]) == []


@given(text=st.text(alphabet=st.characters(max_codepoint=127)))
@settings(max_examples=150, deadline=None)
def test_ascii_text_keeps_its_ids(pair: tuple[ByteBpe, ByteBpe], text: str) -> None:
    base, extended = pair
    assert extended.encode(text) == base.encode(text)


@given(text=MIXED)
@settings(max_examples=150, deadline=None)
def test_there_are_never_more_tokens_than_before(pair: tuple[ByteBpe, ByteBpe], text: str) -> None:
    base, extended = pair
    assert len(extended.encode(text)) <= len(base.encode(text))
    assert cuts(extended, extended.encode(text)) <= cuts(base, base.encode(text))


def _broken(gpt2: ByteBpe, how: str) -> ByteBpe:
    ids = gpt2.encode("鶴")
    first, second = ids[0], ids[1]
    content = gpt2.bytes_of[first] + gpt2.bytes_of[second]
    ascii_left, ascii_right = gpt2.encode("q")[0], gpt2.encode("z")[0]
    if how == "I1":
        definition: dict[str, Any] = copy.deepcopy(gpt2.definition)
        vocab = definition["model"]["vocab"]
        vocab["Ġ"], vocab["!"] = vocab["!"], vocab["Ġ"]
        return ByteBpe(definition, "two ids swapped")
    if how == "I6":
        return gpt2.extended(Extension(gpt2.size, ("検査".encode(),), (), (1,)))
    tokens, merges = [content], [Merge(first, second, gpt2.size)]
    if how == "I2":
        tokens, merges = [b"qz"], [Merge(ascii_left, ascii_right, gpt2.size)]
    elif how == "I8":
        last = ids[-1]
        tokens, merges = [gpt2.bytes_of[last] + gpt2.bytes_of[first]], [Merge(last, first, gpt2.size)]
    elif how == "I4":
        extended = gpt2.extended(Extension(gpt2.size, tuple(tokens), tuple(merges), (1,) * len(tokens)))
        del extended.definition["model"]["merges"][0]
        return ByteBpe(extended.definition, "a merge of the base is gone")
    return gpt2.extended(Extension(gpt2.size, tuple(tokens), tuple(merges), (1,) * len(tokens)))


@pytest.mark.parametrize(
    ("how", "found"),
    [
        pytest.param("I1", {"I1"}, id="two old ids swapped"),
        pytest.param("I2", {"I2", "I8"}, id="an ASCII token"),
        pytest.param("I4", {"I2", "I3", "I4"}, id="a merge of the base removed"),
        pytest.param("I6", {"I6"}, id="a token without merges"),
        pytest.param("I8", {"I8"}, id="a token that begins inside a character"),
    ],
)
def test_each_violation_is_found(gpt2: ByteBpe, how: str, found: set[str]) -> None:
    violations = {violation.invariant for violation in check(gpt2, _broken(gpt2, how), ["the qz", "鶴点", "点検"])}
    assert found <= violations


def test_a_token_across_a_morpheme_boundary_is_found(gpt2: ByteBpe) -> None:
    units = [to_batch(count_units(["点検を行う"], gpt2))]
    assert check_units(gpt2, ["点検".encode()], units) == []
    assert [violation.invariant for violation in check_units(gpt2, ["検を".encode()], units)] == ["I9"]


def test_a_violation_tells_no_text_of_a_document(gpt2: ByteBpe) -> None:
    for violation in check(gpt2, _broken(gpt2, "I2"), ["秘密の文書 qz"]):
        assert "秘密" not in violation.detail


def test_what_the_base_does_not_keep_is_listed() -> None:
    assert base_exceptions(sp_bpe(), TEXTS) == {"I5": ["U+2581 becomes a space"]}
    assert base_exceptions(sp_unigram(), TEXTS) == {
        "I5": [
            "U+2581 becomes a space",
            "text that spells <unk> becomes that token where others load it; here it stays text",
        ]
    }


def test_files_of_a_base_that_differ_are_listed_and_asked_of_no_extension() -> None:
    base = sp_bpe()
    definition = copy.deepcopy(base.definition)
    definition["model"]["merges"].pop(0)
    other = SpBpe(definition, "a merge is missing", base.model)
    found = base_exceptions(other, ["the pump"])
    assert found["I7"] == ["tokenizer.model and tokenizer.json give 2 of 7 texts different ids"]
    assert [violation.invariant for violation in check(base, other, TEXTS)] == ["I2", "I3", "I7", "I4"]
    extension = extend(other, [to_batch(count_units(TEXTS, other))], 20, 2)
    assert check(other, other.extended(extension), TEXTS) == []


def test_a_byte_level_base_keeps_all_but_what_its_normaliser_changes(base: ByteBpe) -> None:
    joins = {"I5": ["combining marks are joined to their letters, as NFC does"]}
    assert base_exceptions(base, TEXTS) == (joins if base.definition["normalizer"] else {})


def test_ids_of_another_programs_extension_may_have_holes(gpt2: ByteBpe) -> None:
    extended = gpt2.extended(extend(gpt2, [to_batch(count_units(TEXTS, gpt2))], 5, 2))
    definition = extended.copied_definition()
    vocab = definition["model"]["vocab"]
    for piece, number in vocab.items():
        if number >= gpt2.size + 2:
            vocab[piece] = number + 7
    assert check(gpt2, ByteBpe(definition, "with a hole"), TEXTS) == []
