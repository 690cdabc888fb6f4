"""The preset hojichar decides as a plain reading of HojiChar's filters does, document by document."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.schema.preset import load_preset
from corpus.batch import BatchBuilder
from corpus.judge import judge
from corpus.normalise.characters import remove_invisible
from corpus.rules import check_preset, reason_words
from tests.corpus.reference_hojichar import first_reason
from tests.corpus.shared_texts import PARTS, PIECES, all_texts, some_texts

HOJICHAR = load_preset("hojichar")


def decided(texts: Iterable[str]) -> list[str | None]:
    """Reasons by the preset."""
    builder = BatchBuilder("web", "a", "", "ja")
    for position, text in enumerate(texts):
        builder.add(text, position, "utf-8")
    batch = builder.take()
    assert batch is not None
    return reason_words(judge(batch, HOJICHAR.rules)[1], HOJICHAR.rules)


def test_a_sample_of_the_shared_corpus_is_decided_as_published() -> None:
    check_preset(HOJICHAR, "hojichar")
    texts = [remove_invisible(text) for text in some_texts(40, seed=8) if len(text) < 4000]
    plain = [first_reason(text) for text in texts]
    assert decided(texts) == plain
    assert set(plain) >= {None, "few_full_stops", "short_lines"}


@pytest.mark.soak
@pytest.mark.timeout(3 * 3600)
@pytest.mark.parametrize("part", range(PARTS))
def test_all_of_the_shared_corpus_is_decided_as_published(part: int) -> None:
    # A text that is cut for the sake of MeCab may be cut into other words.
    whole = (text for text in islice(all_texts(), part, None, PARTS) if len(text) < 100_000)
    texts = map(remove_invisible, whole)
    while some := list(islice(texts, 1000)):
        assert decided(some) == [first_reason(text) for text in some]


@settings(max_examples=60)
@given(st.lists(st.sampled_from(PIECES), max_size=25))
def test_texts_around_the_bounds_are_decided_as_published(pieces: list[str]) -> None:
    assert decided(["".join(pieces)]) == [first_reason("".join(pieces))]


MARKS = ["コメント", "レビュー", "投稿", "ページ", "質問", "楽天市場", "SOLD OUT", "1話", "2話", "3話"]
MARKS += ["(月)", "(火)", "(水)", "2024年1月2日", "-"]
PROSE = "弁を閉じる作業の手順を示す。"


@pytest.mark.parametrize(
    ("text", "reason", "drops"),
    [
        pytest.param("あ" * 199 + "い。" * 3, "a_long_run", False, id="199 in a row"),
        pytest.param("あ" * 200 + "い。" * 3, "a_long_run", True, id="200"),
        pytest.param(PROSE + "".join(MARKS[:14]), "forum", False, id="14 marks"),
        pytest.param(PROSE + "".join(MARKS), "forum", True, id="15"),
        pytest.param(f"{PROSE}\n{PROSE[:12]}\n短い\n短い", "short_lines", False, id="half of the lines short"),
        pytest.param(f"{PROSE}\n短い\n短い", "short_lines", True, id="two of three"),
        pytest.param(f"{PROSE}りんごを買う。", "too_many_nouns", False, id="verbs"),
        pytest.param("りんご、みかん、バナナ、メロン、ぶどう、いちご。", "too_many_nouns", True, id="nouns"),
    ],
)
def test_both_sides_of_bounds_by_hand(text: str, reason: str, drops: bool) -> None:
    assert (decided([text]) == [reason]) == drops
    assert decided([text]) == [first_reason(text)]
