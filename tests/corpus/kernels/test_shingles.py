"""Shingles, signatures and similarity against Python's own sets."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.batch import utf8_of
from corpus.kernels.shingles import SHINGLE, UInt32, jaccard, shingles_of, signatures

SPACE = " \t\n\u3000"
TEXT = st.text("ab漢𠮷 \n\u3000", max_size=30) | st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


def plain_shingles(text: str) -> set[str]:
    """The same set, as Python's strings."""
    seen = "".join(character for character in text if character not in SPACE)
    if len(seen) < SHINGLE:
        return {seen} if seen else set()
    return {seen[at : at + SHINGLE] for at in range(len(seen) - SHINGLE + 1)}


def plain_jaccard(one: str, other: str) -> float:
    """The similarity of two such sets."""
    a, b = plain_shingles(one), plain_shingles(other)
    return len(a & b) / len(a | b) if a | b else 0.0


def sign(*texts: str, values: int = 256) -> UInt32:
    """Signatures of some texts."""
    return signatures(*utf8_of(pa.array(texts, pa.large_string())), values)


@given(TEXT)
def test_a_text_has_as_many_shingles_as_python_finds(text: str) -> None:
    found = shingles_of(text)
    assert found.size == len(plain_shingles(text))
    assert (np.diff(found.astype(object)) > 0).all()


@given(TEXT, TEXT)
def test_similarity_is_that_of_pythons_sets(one: str, other: str) -> None:
    assert jaccard(shingles_of(one), shingles_of(other)) == plain_jaccard(one, other)
    assert jaccard(shingles_of(other), shingles_of(one)) == plain_jaccard(one, other)


@pytest.mark.parametrize(
    ("one", "other", "similarity"),
    [
        pytest.param("", "", 0.0, id="two of nothing"),
        pytest.param("点検", "", 0.0, id="one of nothing"),
        pytest.param("点検", "点検", 1.0, id="shorter than a shingle"),
        pytest.param("点検", "検点", 0.0, id="order matters"),
        pytest.param("ああ", "ああああ", 0.0, id="length matters in a short text"),
        pytest.param("点検を行う", "点 検を\n行　う", 1.0, id="space does not count"),
        pytest.param("一二三四五六", "一二三四五七", 1 / 3, id="one of three"),
        pytest.param("一二三四五六七八九", "一二三四五六七八", 0.8, id="four of five"),
    ],
)
def test_similarity_by_hand(one: str, other: str, similarity: float) -> None:
    assert jaccard(shingles_of(one), shingles_of(other)) == similarity


@given(st.lists(TEXT, min_size=1, max_size=5), st.integers(1, 300))
def test_a_signature_depends_on_the_set_of_shingles_alone(texts: list[str], values: int) -> None:
    signature_NK = sign(*texts, values=values)
    by_set: dict[frozenset[str], list[int]] = {}
    for text, row in zip(texts, signature_NK.tolist(), strict=True):
        assert by_set.setdefault(frozenset(plain_shingles(text)), row) == row
        assert sign(text, values=values).tolist() == [row]


def test_repeating_a_text_changes_its_signature_by_the_seam_alone() -> None:
    text = "定量ポンプの点検では最初に電源を切る"
    once, twice, thrice = sign(text, text * 2, text * 3)
    assert (twice == thrice).all()
    assert (once == twice).mean() > 0.6


def test_a_text_without_characters_has_an_empty_signature_and_a_short_one_is_full() -> None:
    nothing, space, short = sign("", " \n\u3000", "弁")
    assert set(nothing.tolist()) == set(space.tolist()) == {0xFFFFFFFF}
    assert len(set(short.tolist())) == 1
    assert 0xFFFFFFFF not in short


@pytest.mark.timeout(60)
def test_a_shingle_whose_hash_looks_like_an_empty_bin_is_signed_all_the_same() -> None:
    (only,) = shingles_of("串昹惤").tolist()
    assert only % 2**32 == 0xFFFFFFFF  # one shingle in four thousand million; this one was searched for
    assert set(sign("串昹惤")[0].tolist()) == {0xFFFFFFFE}


@pytest.mark.parametrize("shared", [0, 200, 500, 800, 950, 1000])
def test_equal_values_estimate_the_similarity(shared: int) -> None:
    # Two texts of random characters share a beginning; 256 values err by 0.03, 0.12 is four times that.
    generator = np.random.default_rng(shared)
    characters_2S = generator.integers(0x4E00, 0x9FA0, (2, 1000))
    characters_2S[1, :shared] = characters_2S[0, :shared]
    one, other = ("".join(map(chr, row)) for row in characters_2S.tolist())
    signature_NK = sign(one, other)
    estimate = (signature_NK[0] == signature_NK[1]).mean()
    assert estimate == pytest.approx(plain_jaccard(one, other), abs=0.12)


def test_estimates_are_right_on_average_also_for_texts_shorter_than_a_signature() -> None:
    # 40 shingles fill 37 of 256 bins; the others are filled from those, which must not favour anything.
    generator = np.random.default_rng(1)
    errors = []
    for _ in range(200):
        characters_2S = generator.integers(0x4E00, 0x9FA0, (2, 44))
        characters_2S[1, :30] = characters_2S[0, :30]
        one, other = ("".join(map(chr, row)) for row in characters_2S.tolist())
        signature_NK = sign(one, other)
        errors.append((signature_NK[0] == signature_NK[1]).mean() - plain_jaccard(one, other))
    assert abs(float(np.mean(errors))) < 0.03
