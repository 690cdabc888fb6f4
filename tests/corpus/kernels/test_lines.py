"""Line hashes against Python's own splitting: equal lines are equal, different ones differ, at the right place."""

from __future__ import annotations

from itertools import groupby

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.batch import utf8_of
from corpus.kernels.lines import distinct_lines, hash_lines, hash_paragraphs, repeated_line_share

LINES = st.lists(st.text("ab漢𠮷 \t\u3000\n", max_size=12), min_size=1, max_size=5)
TEXTS = LINES | st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=30), min_size=1, max_size=4)


def without_space(line: str) -> str:
    """What counts of a line."""
    return "".join(character for character in line if character not in " \t\u3000")


@given(TEXTS)
def test_lines_stand_where_python_finds_them_and_equal_ones_have_equal_hashes(texts: list[str]) -> None:
    first_N1, hash_L, characters_L = hash_lines(*utf8_of(pa.array(texts, pa.large_string())))
    plain = [without_space(line) for text in texts for line in text.split("\n")]
    counts = [len(text.split("\n")) for text in texts]
    assert first_N1.tolist() == [sum(counts[:n]) for n in range(len(texts) + 1)]
    assert characters_L.tolist() == [len(line) for line in plain]
    line_of: dict[int, str] = {}
    hash_of: dict[str, int] = {}
    for line, hashed in zip(plain, hash_L.tolist(), strict=True):
        assert line_of.setdefault(hashed, line) == line
        assert hash_of.setdefault(line, hashed) == hashed


@given(TEXTS, st.integers(0, 3))
def test_a_document_gives_each_of_its_long_enough_lines_once(texts: list[str], least: int) -> None:
    first_N1, hash_L, characters_L = hash_lines(*utf8_of(pa.array(texts, pa.large_string())))
    found = distinct_lines(first_N1, hash_L, characters_L >= least).tolist()
    sets = ({without_space(line) for line in text.split("\n")} for text in texts)
    assert len(found) == sum(len(line) >= least for lines in sets for line in lines)
    assert set(found) == {
        one for one, size in zip(hash_L.tolist(), characters_L.tolist(), strict=True) if size >= least
    }


def test_position_in_the_line_matters() -> None:
    _, hash_L, _ = hash_lines(*utf8_of(pa.array(["ab\nba\naab\nabb\na\naa\n"], pa.large_string())))
    assert len(set(hash_L.tolist())) == 7


def test_a_line_has_the_same_hash_in_every_document_and_at_every_indent() -> None:
    _, hash_L, _ = hash_lines(*utf8_of(pa.array(["社外秘", "前\n　社 外\t秘"], pa.large_string())))
    assert hash_L[0] == hash_L[2] != hash_L[1]


def plain_share(text: str) -> float:
    """The repeated share, told plainly."""
    seen: set[str] = set()
    total = repeated = 0
    for line in map(without_space, text.split("\n")):
        total += len(line)
        repeated += len(line) if line in seen else 0
        seen.add(line)
    return repeated / total if total else 0.0


@given(TEXTS)
def test_the_repeated_share_is_that_of_a_plain_reading(texts: list[str]) -> None:
    assert repeated_line_share(*hash_lines(*utf8_of(pa.array(texts, pa.large_string())))).tolist() == [
        plain_share(text) for text in texts
    ]


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("", 0.0),
        ("\n\n", 0.0),
        ("一", 0.0),
        ("一二\n一二", 0.5),
        ("一二\n一 二\n三四", 1 / 3),
        ("あ\nあ\nあ\nあ", 0.75),
    ],
)
def test_shares_by_hand(text: str, share: float) -> None:
    assert repeated_line_share(*hash_lines(*utf8_of(pa.array([text], pa.large_string())))) == [share]


def test_no_documents_have_no_lines() -> None:
    first_N1, hash_L, characters_L = hash_lines(*utf8_of(pa.array([], pa.large_string())))
    assert (first_N1.tolist(), hash_L.size, characters_L.size) == ([0], 0, 0)


@given(TEXTS)
def test_paragraphs_are_those_of_a_plain_reading(texts: list[str]) -> None:
    first_N1, hash_L, characters_L = hash_lines(*utf8_of(pa.array(texts, pa.large_string())))
    paragraph_L, total_L = hash_paragraphs(first_N1, hash_L, characters_L)
    plain: list[tuple[str, ...]] = []
    for text in texts:
        for filled, lines in groupby(map(without_space, text.split("\n")), bool):
            block = tuple(lines)
            plain += [block if filled and len(block) > 1 else ()] * len(block)
    assert total_L.tolist() == [sum(map(len, block)) for block in plain]
    hash_of: dict[tuple[str, ...], int] = {}
    block_of: dict[int, tuple[str, ...]] = {}
    for block, hashed in zip(plain, paragraph_L.tolist(), strict=True):
        assert hash_of.setdefault(block, hashed) == hashed
        assert block_of.setdefault(hashed, block) == block
