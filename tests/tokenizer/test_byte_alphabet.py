from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import pre_tokenizers

from tokenizer.byte_alphabet import to_bytes, to_piece


@given(st.binary())
def test_any_bytes_come_back(content: bytes) -> None:
    assert to_bytes(to_piece(content)) == content


def test_the_alphabet_is_the_one_of_the_tokenizers_library() -> None:
    assert {to_piece(bytes([byte])) for byte in range(256)} == set(pre_tokenizers.ByteLevel.alphabet())


@pytest.mark.parametrize("piece", ["<|endoftext|> ", "点", "a b"], ids=["a space", "kanji", "a space inside"])
def test_a_piece_with_other_characters_is_no_byte_level_piece(piece: str) -> None:
    assert to_bytes(piece) is None
