from __future__ import annotations

import numpy as np
import pytest
from fugashi import Tagger
from hypothesis import given
from hypothesis import strategies as st

from tokenizer.morphemes import mark_morphemes
from tokenizer.units import morpheme_cuts

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")) | st.lists(
    st.sampled_from(["点検", "を行う", " ", "\u3000", "\t", "\n", "\r", "ＴＰ", "120", "pump valve", "🙂", "𠮷"])
).map("".join)


def cuts_of_nodes(text: str, tagger: Tagger) -> set[int]:
    """The same by MeCab's nodes, line by line."""
    cuts: set[int] = set()
    at = 0
    for line in text.split("\n"):
        cuts.add(at)
        before = at
        for node in tagger(line):
            cuts.add(before)
            before += len(node.white_space.encode())
            cuts.add(before)
            before += len(node.surface.encode())
            cuts.add(before)
        at += len(line.encode())
        cuts |= {at, at + 1}
        at += 1
    return cuts


@pytest.fixture(scope="module")
def tagger() -> Tagger:
    """MeCab as everybody uses it."""
    return Tagger()


def test_cuts_are_where_morphemes_begin() -> None:
    text = "点検を行う"
    assert sorted(morpheme_cuts(text))[:4] == [0, len("点検".encode()), len("点検を".encode()), len(text.encode())]


@given(TEXT)
def test_cuts_are_those_of_the_nodes(tagger: Tagger, text: str) -> None:
    assert morpheme_cuts(text) == cuts_of_nodes(text, tagger)


@given(TEXT)
def test_cuts_never_split_a_character(text: str) -> None:
    bounds = {len(text[:at].encode()) for at in range(len(text) + 1)}
    assert morpheme_cuts(text) - bounds <= {len(text.encode()) + 1}


def test_a_long_line_is_cut_like_its_parts() -> None:
    sentence = "弁を閉じて点検表に記入する。" * 200
    assert len(sentence) > 2000
    cuts = morpheme_cuts(sentence)
    assert max(cuts) == len(sentence.encode()) + 1
    part = len(sentence[:1000].encode())
    assert {cut for cut in cuts if cut < part} == {cut for cut in morpheme_cuts(sentence[:1000]) if cut < part}


def test_marks_before_and_behind_a_text_are_left_alone() -> None:
    marks = np.zeros(30, np.uint8)
    mark_morphemes("点検", marks[10:18])
    assert np.flatnonzero(marks).tolist() == [10, 16, 17]
