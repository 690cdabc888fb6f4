"""The compiled tokenizer beside the library's own: the same ids for any text."""

from __future__ import annotations

import copy
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.atomic_file import read_json
from tests.tiny import tokenizer_definition
from tokenizer.bpe_kernel import LONGEST_WORD
from tokenizer.byte_alphabet import to_piece
from tokenizer.byte_bpe import ByteBpe
from tokenizer.compiled_bpe import CompiledBpe
from tokenizer.known_words import SPLITS

DIGITS: dict[str, Any] = {"type": "Digits", "individual_digits": True}
BYTE_LEVEL: dict[str, Any] = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}


def split(regex: str, **changes: Any) -> dict[str, Any]:
    """A pre-tokenizer as Llama 3's."""
    one = {"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated", "invert": False} | changes
    return {"type": "Sequence", "pretokenizers": [one, {**BYTE_LEVEL, "use_regex": False}]}


WORDS: dict[str, Any] = {
    "smollm": {"type": "Sequence", "pretokenizers": [DIGITS, BYTE_LEVEL]},
    "gpt-2": BYTE_LEVEL,
    **{name: split(regex) for name, (regex, _) in SPLITS.items()},
}
# Contractions and what is nearly one, spaces of every kind and number, digits and numbers that are none to Rust or to
# the pattern, letters, marks, and what the tiny tokenizer has merges for.
FRAGMENTS = (
    *("'s", "'t", "'re", "'ve", "'m", "'ll", "'d", "'S", "'l", "'r", "'v", "'", "'ſ", "'LL", "'Re", "'rE"),
    *(" ", "  ", "\t", "\n", "\r\n", "\u3000", "\u00a0", "\u2028", "\u200b"),
    *("1", "23", "１", "²", "½", "Ⅳ", "三", "〇", "१", "𝟙"),
    *("a", "Z", "É", "ǅ", "ʰ", "ª", "\u0301", "É\u0301", "\u0345", "/", "//", "/\n", "\r"),
    *("é", "e\u0301", "あ", "ー", "漢字", "𠮷", "ｱ", "🙂"),
    *(".", "。", "、", "「", "--", "!?", "\x00", "\x04", "_"),
    *("the", "pump", "valve", "ee", "liquid", "sensors"),
)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40) | st.lists(
    st.sampled_from(FRAGMENTS), max_size=20
).map("".join)


def made(words: str = "smollm", **changes: Any) -> ByteBpe:
    """The tiny tokenizer; changes are of its definition, or of its model where the key begins with `model.`."""
    definition = copy.deepcopy(tokenizer_definition())
    definition["pre_tokenizer"] = WORDS[words]
    for key, value in changes.items():
        section, _, name = key.rpartition("__")
        (definition[section] if section else definition)[name] = value
    return ByteBpe(definition, "tiny")


def with_all_pairs(words: str) -> ByteBpe:
    """One that joins any two bytes, in an order without a pattern: a word that ends elsewhere has other ids."""
    definition = copy.deepcopy(tokenizer_definition())
    pieces = [to_piece(bytes([byte])) for byte in range(256)]
    definition["pre_tokenizer"], model = WORDS[words], definition["model"]
    model["merges"] = [[left, right] for left in pieces for right in pieces]
    Random(3).shuffle(model["merges"])
    if words in ("gpt-2", "qwen", "tekken"):  # what one order hides, the other shows
        model["merges"].reverse()
    if words == "qwen":
        definition["normalizer"] = {"type": "NFC"}
    for pair in model["merges"]:
        model["vocab"].setdefault("".join(pair), len(model["vocab"]))
    return ByteBpe(definition, "all pairs")


def assert_same(tokenizer: ByteBpe, texts: list[str], compiled: CompiledBpe | None = None) -> None:
    compiled = compiled or CompiledBpe.of(tokenizer)
    assert compiled is not None
    ids_T, count_N = compiled.encode(pa.array(texts, pa.large_string()))
    expected = [tokenizer.encode(text) for text in texts]
    assert count_N.tolist() == [len(ids) for ids in expected]
    assert [ids.tolist() for ids in np.split(ids_T, np.cumsum(count_N)[:-1])] == expected


@pytest.fixture(scope="module", params=list(WORDS))
def tokenizer(request: pytest.FixtureRequest) -> ByteBpe:
    """A tokenizer of each kind that is compiled."""
    return with_all_pairs(request.param)


@pytest.fixture(scope="module")
def compiled(tokenizer: ByteBpe) -> CompiledBpe | None:
    """The same compiled."""
    return CompiledBpe.of(tokenizer)


@settings(max_examples=120)
@given(texts=st.lists(TEXT, min_size=1, max_size=5))
def test_the_ids_are_those_of_the_library(tokenizer: ByteBpe, compiled: CompiledBpe, texts: list[str]) -> None:
    assert_same(tokenizer, texts, compiled)


def test_the_words_of_any_two_fragments_side_by_side_are_those_of_the_library(
    tokenizer: ByteBpe, compiled: CompiledBpe
) -> None:
    assert_same(
        tokenizer, [f"{one}{two}{end}" for one in FRAGMENTS for two in FRAGMENTS for end in ("", "AB", "ab")], compiled
    )


@settings(max_examples=300)
@given(
    joins=st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=5),
    texts=st.lists(st.text("ab", max_size=30), min_size=1, max_size=3),
)
def test_ties_overlaps_and_several_ways_to_a_token_end_as_in_the_library(
    joins: list[tuple[int, int]], texts: list[str]
) -> None:
    definition = copy.deepcopy(tokenizer_definition())
    model, pieces = definition["model"], ["a", "b"]
    model["merges"] = []
    for left, right in joins:
        pair = [pieces[left % len(pieces)], pieces[right % len(pieces)]]
        if pair not in model["merges"]:
            model["merges"].append(pair)
            pieces.append("".join(pair))
            model["vocab"].setdefault(pieces[-1], len(model["vocab"]))
    assert_same(ByteBpe(definition, "made"), texts)


def test_a_word_too_long_to_search_is_encoded_by_the_library(tokenizer: ByteBpe) -> None:
    words = ["pump" * (LONGEST_WORD // 4 + more) + "p" * rest for more in (0, 1, 9) for rest in (0, 1)]
    assert_same(tokenizer, ["before", *words, "after"])
    assert_same(tokenizer, [f"a {word} b" for word in words])


def test_an_added_token_that_is_not_special_is_found_first() -> None:
    token = {"id": 320, "content": "um", "special": False, "normalized": False}
    token |= {"single_word": False, "lstrip": False, "rstrip": False}
    tokenizer = made(added_tokens=[*tokenizer_definition()["added_tokens"], token])
    assert 320 in tokenizer.encode("the pump")
    assert_same(tokenizer, ["the pump", "the hose", "<|endoftext|> pump"])


def test_an_added_token_is_found_in_text_as_the_normaliser_leaves_it() -> None:
    token = {"id": 320, "content": "か\u3099x", "special": False, "normalized": True}
    token |= {"single_word": False, "lstrip": False, "rstrip": False}
    added = [*tokenizer_definition()["added_tokens"], token]
    tokenizer = made("qwen", added_tokens=added, normalizer={"type": "NFC"})
    assert 320 in tokenizer.encode("がx")
    assert_same(tokenizer, ["がx", "か\u3099x", "か\u3099 x", "<|endoftext|>がx"])


def test_a_whole_word_of_the_vocabulary_comes_before_merges_where_the_model_says_so() -> None:
    words = {"pumpvalve": 320, "\u0120\u00e6\u00bc\u00a2": 321, "pumpvalve!": 322}
    vocab = {**tokenizer_definition()["model"]["vocab"], **words}
    tokenizer = made("llama3", model__ignore_merges=True, model__vocab=vocab)
    assert [tokenizer.encode(text) for text in ("pumpvalve", " 漢")] == [[320], [321]]
    assert_same(tokenizer, ["pumpvalve", "pumpvalves pumpvalve 漢", "pumpvalve! 漢字", " 漢", ""])
    without = made("llama3", model__vocab=vocab)
    assert 320 not in without.encode("pumpvalve")
    assert_same(without, ["pumpvalve", " 漢"])


def test_a_byte_that_the_vocabulary_lacks_is_left_out_as_in_the_library() -> None:
    definition = copy.deepcopy(tokenizer_definition())
    del definition["model"]["vocab"]["\u0104"]  # byte 4
    assert_same(ByteBpe(definition, "without a byte"), ["a\x04b", "the p\x04ump", "\x04", "pump"])


def test_a_part_of_a_column_is_encoded_as_itself(tokenizer: ByteBpe) -> None:
    compiled = CompiledBpe.of(tokenizer)
    assert compiled is not None
    column = pa.array(["the pump", "", "点検 12", "the valve"], pa.large_string())
    ids_T, count_N = compiled.encode(column.slice(1, 2))
    assert (ids_T.tolist(), count_N.tolist()) == (tokenizer.encode("点検 12"), [0, len(tokenizer.encode("点検 12"))])


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"normalizer": {"type": "NFKC"}}, id="normalised otherwise"),
        pytest.param({"pre_tokenizer": split(SPLITS["qwen"][0] + "|x")}, id="another pattern"),
        pytest.param({"pre_tokenizer": split(SPLITS["qwen"][0], invert=True)}, id="what is between words"),
        pytest.param({"pre_tokenizer": split(SPLITS["qwen"][0], behavior="Removed")}, id="words go"),
        pytest.param({"model__dropout": 0.1}, id="random"),
        pytest.param({"model__end_of_word_suffix": "</w>"}, id="suffix"),
        pytest.param({"pre_tokenizer": {**BYTE_LEVEL, "add_prefix_space": True}}, id="space before"),
        pytest.param({"pre_tokenizer": {**BYTE_LEVEL, "use_regex": False}}, id="no words"),
        pytest.param(
            {
                "pre_tokenizer": {
                    "type": "Sequence",
                    "pretokenizers": [{**DIGITS, "individual_digits": False}, BYTE_LEVEL],
                }
            },
            id="digits together",
        ),
        pytest.param(
            {"truncation": {"direction": "Right", "max_length": 8, "strategy": "LongestFirst", "stride": 0}}, id="cut"
        ),
    ],
)
def test_a_tokenizer_with_a_part_that_is_not_known_is_left_to_the_library(changes: dict[str, Any]) -> None:
    assert CompiledBpe.of(made()) is not None
    assert CompiledBpe.of(made(**changes)) is None


@pytest.mark.parametrize(
    "points", [pytest.param(0x10000, marks=pytest.mark.slow), pytest.param(0x110000, marks=pytest.mark.soak)]
)
def test_every_code_point_is_of_the_librarys_class(tokenizer: ByteBpe, points: int) -> None:
    every = [chr(point) for point in range(points) if not 0xD800 <= point < 0xE000]
    around = [f"a{one}1{one} {one}{one}\n{one}'{one}'{one}e'l{one}'{one}lA{one}B.{one}C" for one in every]
    assert_same(tokenizer, ["".join(around[at : at + 64]) for at in range(0, len(around), 64)])


@pytest.mark.slow
def test_real_text_and_a_real_tokenizer() -> None:
    folder = Path("models/smollm2-135m-instruct")
    if not folder.exists():
        pytest.skip("the model is not there; see the quickstart")
    files = [*Path("configs/quickstart").rglob("*.txt"), *Path("docs").rglob("*.md"), *Path().glob("*/*.py")]
    texts = [file.read_bytes().decode("utf-8", errors="replace") for file in files]
    assert sum(map(len, texts)) > 500_000
    assert_same(ByteBpe(read_json(folder / "tokenizer.json"), "SmolLM2"), texts)
