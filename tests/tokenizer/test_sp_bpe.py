"""SentencePiece BPE with byte fallback: what is added, in `tokenizer.json` and in `tokenizer.model`."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings

from tests.tokenizer.sp_models import ANY_TEXT, FRAGMENTS, MIXED, TEXTS, V1, V3, learned, sp_bpe
from tokenizer.invariants import check, check_units, cuts
from tokenizer.sp_bpe import SpBpe, splits
from tokenizer.sp_definition import definition_of
from tokenizer.sp_model import SpModel
from tokenizer.units import count_units, to_batch


@pytest.fixture(scope="module")
def base() -> SpBpe:
    """A base with both files."""
    return sp_bpe()


@pytest.fixture(scope="module")
def extended(base: SpBpe) -> SpBpe:
    """The same with tokens."""
    return base.extended(learned(base))


@given(text=ANY_TEXT | MIXED)
@settings(max_examples=150, deadline=None)
def test_the_definition_of_a_model_gives_its_ids(base: SpBpe, text: str) -> None:
    assert base.model is not None
    assert base.encode(text) == base.model.encode(text)


def test_new_characters_words_and_nothing_across_morphemes(base: SpBpe, extended: SpBpe) -> None:
    extension = learned(base)
    assert "定".encode() in extension.tokens  # of bytes until now
    assert "点検".encode() in extension.tokens
    assert check_units(base, extension.tokens, [to_batch(count_units(TEXTS, base))]) == []
    assert len(extended.encode(TEXTS[0])) < len(base.encode(TEXTS[0]))
    assert cuts(extended, extended.encode(TEXTS[0])) < cuts(base, base.encode(TEXTS[0]))


def test_every_character_of_a_new_token_is_a_token(base: SpBpe) -> None:
    extension = learned(base)
    for count in range(len(extension.tokens) + 1):
        some = extension.beginning(count)
        known = {content.decode() for content in some.tokens} | base.characters
        assert all(character in known for content in some.tokens for character in content.decode())


def test_new_scores_fall_from_below_the_lowest_that_is_no_sentinel(base: SpBpe, extended: SpBpe) -> None:
    assert base.model is not None
    assert extended.model is not None
    new = extended.model.scores[base.size :]
    assert new == [base.model.lowest_score() - 1 - rank for rank in range(len(new))]
    assert set(extended.model.types[base.size :]) == {1}
    assert extended.model.proto.trainer_spec.vocab_size == extended.size
    assert extended.model.pieces[: base.size] == base.model.pieces
    assert extended.model.scores[: base.size] == base.model.scores


@pytest.mark.parametrize(
    ("content", "may"),
    [
        pytest.param("点検", True, id="a word"),
        pytest.param("p点", True, id="with a letter that is a piece"),
        pytest.param("A点", False, id="with a letter that is spelt by its byte"),
        pytest.param("pump", False, id="ASCII"),
        pytest.param(" 点", False, id="a space"),
        pytest.param("\u2581点", False, id="what is read as a space"),
    ],
)
def test_what_may_be_a_token(base: SpBpe, content: str, may: bool) -> None:
    assert base.may_be_token(content.encode()) is may


def test_half_a_character_is_no_token(base: SpBpe) -> None:
    assert not base.may_be_token("点".encode()[:2])


def test_ways_to_a_piece_are_longest_left_part_first() -> None:
    assert list(splits("aaa", {"a", "aa"})) == [("aa", "a"), ("a", "aa")]
    assert list(splits("aaa", {"a"})) == []


def test_without_a_model_file_none_is_written(base: SpBpe) -> None:
    alone = SpBpe(base.definition, "tokenizer.json alone")
    assert alone.extended(learned(alone)).other_files == {}
    assert learned(alone) == learned(base)


def test_added_tokens_of_the_json_alone_get_their_ids_in_the_model_too(base: SpBpe) -> None:
    added = base.definition["added_tokens"]
    more = [
        {**added[0], "id": base.size, "content": "<|im_end|>"},
        {**added[0], "id": base.size + 1, "content": "[DOC]", "special": False},
    ]
    grown = SpBpe({**base.definition, "added_tokens": [*added, *more]}, "with added tokens", base.model)
    extended = grown.extended(learned(grown))
    assert extended.model is not None
    assert extended.model.pieces[base.size : base.size + 3] == ["<|im_end|>", "[DOC]", extended._pieces[base.size + 2]]
    assert extended.model.types[base.size : base.size + 2] == [3, 4]
    assert check(grown, extended, TEXTS) == []


@pytest.mark.slow
@pytest.mark.parametrize("path", [V1, V3], ids=["Mistral v1", "Mistral v3"])
def test_of_a_real_model_all_hold(path: Path) -> None:
    model = SpModel.read(path)
    base = SpBpe(definition_of(model, {}), path.name, model)
    extended = base.extended(learned(base))
    fragments = [one + other for one in FRAGMENTS for other in FRAGMENTS]
    ours = Path(__file__).read_text().splitlines()
    assert all(base.encode(text) == model.encode(text) for text in [*fragments, *ours])
    assert check(base, extended, [*TEXTS, *fragments, *ours]) == []
