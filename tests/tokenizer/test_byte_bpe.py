from __future__ import annotations

import json

from tokenizer.byte_bpe import ByteBpe
from tokenizer.extendable import Extension, Merge


def test_bytes_of_ids_spell_the_text(base: ByteBpe) -> None:
    text = "Check 12 点検表 the valve."
    assert b"".join(base.bytes_of[number] for number in base.encode(text)).decode() == text


def test_text_that_looks_like_a_special_token_is_text(base: ByteBpe) -> None:
    ids = base.encode("<|endoftext|>")
    assert len(ids) > 1
    assert not set(ids) & base.added_ids


def test_new_tokens_get_the_ids_after_the_last(base: ByteBpe) -> None:
    left, right = base.encode("鶴")[0], base.encode("鶴")[1]
    content = base.bytes_of[left] + base.bytes_of[right]
    extended = base.extended(Extension(base.size, (content,), (Merge(left, right, base.size),), (1,)))
    assert extended.size == base.size + 1
    assert extended.bytes_of[base.size] == content
    assert base.size in extended.encode("鶴の点検")
    assert base.size not in base.bytes_of


def test_special_tokens_keep_their_ids_when_they_stand_outside_the_vocabulary(base: ByteBpe) -> None:
    pair = base.encode("鶴")[:2]
    extended = base.extended(
        Extension(
            base.size, (base.bytes_of[pair[0]] + base.bytes_of[pair[1]],), (Merge(pair[0], pair[1], base.size),), (1,)
        )
    )
    for token in base.definition["added_tokens"]:
        assert extended.backend.token_to_id(token["content"]) == token["id"]


def test_merges_written_as_strings_stay_strings(gpt2: ByteBpe) -> None:
    definition = json.loads(json.dumps(gpt2.definition))
    definition["model"]["merges"] = [" ".join(pair) for pair in definition["model"]["merges"]]
    old = ByteBpe(definition, "old style")
    pair = old.encode("鶴")[:2]
    extended = old.extended(
        Extension(
            old.size, (old.bytes_of[pair[0]] + old.bytes_of[pair[1]],), (Merge(pair[0], pair[1], old.size),), (1,)
        )
    )
    assert isinstance(extended.definition["model"]["merges"][-1], str)
    assert old.size in extended.encode("鶴")
