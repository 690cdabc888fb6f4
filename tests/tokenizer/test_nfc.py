"""NFC of columns beside the library's: which code points are inert, and what becomes of the others."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import normalizers

from tokenizer.nfc import Nfc, is_inert

LIBRARY = normalizers.NFC()
EVERY = [chr(point) for point in range(0x110000) if not 0xD800 <= point < 0xE000]
TEXT = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("かはeAᄀ가ᅡᆨ\u3099\u309a\u0301\u0323\u0345ÅẼ"))


@given(st.lists(TEXT, min_size=1, max_size=4))
def test_a_column_becomes_what_the_library_makes_of_each_text(texts: list[str]) -> None:
    column = Nfc()(pa.array(texts, pa.large_string()))
    assert column.to_pylist() == [LIBRARY.normalize_str(text) for text in texts]


def test_text_without_anything_to_change_is_the_same_column() -> None:
    column = pa.array(["定量ポンプの点検が終わる。", "naïve café", "각"], pa.large_string()).slice(1)
    assert Nfc()(column) is column


@pytest.mark.slow
def test_the_library_neither_changes_nor_joins_nor_sorts_an_inert_code_point() -> None:
    inert = "".join(character for character in EVERY if is_inert(ord(character)))
    assert len(inert) > 250_000
    assert LIBRARY.normalize_str(inert) == inert
    decompose = normalizers.NFD()
    parts = {part for at in range(0, len(EVERY), 64) for part in _later_parts(decompose, EVERY[at : at + 64])}
    assert "\u3099" in parts
    assert "\u1161" in parts
    assert not parts & set(inert)
    # U+0334 has the lowest class of the marks that are sorted, U+0345 the highest: a mark would change places with one.
    between = "".join(f"a\u0345{character}\u0334" for character in inert)
    assert LIBRARY.normalize_str(between) == between


def _later_parts(decompose: normalizers.NFD, characters: list[str]) -> set[str]:
    """What stands behind the first of what each of some characters is taken apart into."""
    separated = decompose.normalize_str("\n".join(characters))
    return {part for one in separated.split("\n") for part in one[1:]}
