"""The laws of masking: nothing else changes, nothing overlaps, and twice is once."""

from __future__ import annotations

from itertools import pairwise

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.personal_text.labelled import labelled
from corpus.mask.find import KINDS, PLACEHOLDER, Span, find_spans, fold, replace_spans
from tests.corpus.mask.masking import spans_of

STRUCTURED = tuple(dict.fromkeys(kind.name for kind in KINDS if kind.name != "name"))
SENTENCES = [case.text for case in labelled("tuned")][:110]
# Sentences in any order and cut anywhere, and what numbers, words and placeholders are made of.
PIECES = st.sampled_from(
    [
        *SENTENCES,
        *(
            "パスワードは",
            "電話",
            "TEL",
            "03-0000-1234",
            "(03)0000-1234",
            "0300001234",
            "+81",
            "〒",
            "100-0001",
            "生まれ",
        ),
        *(
            "個人番号",
            "123456789018",
            "口座番号",
            "1234567",
            "<phone>",
            "<email:abcdefghijkl>",
            "@example.com",
            "a",
            "1",
        ),
        *(
            "東京都港区",
            "芝公園",
            "4-2-8",
            "4丁目",
            "2番8号",
            "免許証",
            "記号",
            "192.0.2.1",
            "。",
            "、",
            " ",
            "\n",
            "-",
            "は",
        ),
    ]
)
TEXTS = st.lists(PIECES, max_size=12).map("".join)


def column(*texts: str) -> pa.LargeStringArray:
    return pa.array(texts, type=pa.large_string())


@given(TEXTS)
@settings(max_examples=300)
def test_spans_are_in_order_do_not_overlap_and_leave_the_rest_as_it_was(text: str) -> None:
    spans = find_spans(column(text), STRUCTURED).get(0, [])
    assert all(span.start < span.end <= len(text) for span in spans)
    assert all(one.end <= next_.start for one, next_ in pairwise(spans))
    masked = replace_spans(text, spans)
    at, outside = 0, ""
    for span in spans:
        outside += text[at : span.start] + "\0"
        at = span.end
    places = [match.span() for match in PLACEHOLDER.finditer(masked)]
    rest = outside + text[at:]
    for span in spans:
        rest = rest.replace("\0", f"<{span.kind}>", 1)
    assert rest == masked
    assert len(places) >= len(spans)


@given(TEXTS)
@settings(max_examples=300)
def test_masking_twice_is_masking_once(text: str) -> None:
    masked = replace_spans(text, find_spans(column(text), STRUCTURED).get(0, []))
    assert find_spans(column(masked), STRUCTURED) == {}


@given(st.lists(TEXTS, max_size=5))
def test_a_text_is_masked_the_same_alone_and_in_company(texts: list[str]) -> None:
    together = find_spans(column(*texts), STRUCTURED)
    alone = {row: find_spans(column(text), STRUCTURED).get(0, []) for row, text in enumerate(texts)}
    assert together == {row: spans for row, spans in alone.items() if spans}


@given(TEXTS, st.integers(0, 400))
def test_where_a_text_stands_in_a_long_one_does_not_matter(text: str, before: int) -> None:
    here = find_spans(column(text), STRUCTURED).get(0, [])
    moved = find_spans(column("あ" * before + "\n" + text), STRUCTURED).get(0, [])
    # At the beginning of a text some patterns look for a beginning; the line end before it is one as well.
    assert moved == [Span(span.start + before + 1, span.end + before + 1, span.kind) for span in here]


@given(st.text())
def test_folding_keeps_every_position(text: str) -> None:
    assert len(fold(text)) == len(text)


def test_what_appears_when_its_neighbour_is_masked_is_found_at_its_place() -> None:
    text = "03-0000-1234(03)0000-1234"
    assert spans_of(text, "phone") == [("phone", "03-0000-1234"), ("phone", "(03)0000-1234")]


def test_of_two_kinds_that_overlap_the_stricter_stays() -> None:
    text = "カード番号は4111 1111 1111 1111です"
    assert spans_of(text, *STRUCTURED) == [("credit_card", "4111 1111 1111 1111")]


@pytest.mark.parametrize("kind", STRUCTURED)
def test_a_placeholder_is_never_taken_for_data(kind: str) -> None:
    text = f"パスワードは<{kind}>、パスワード:<{kind}:abcdefghijkl>、電話<{kind}>、東京都港区<{kind}>4-2-8"
    assert [words for _, words in spans_of(text, *STRUCTURED) if "<" in words] == []


def test_a_kind_that_is_not_asked_for_is_not_found() -> None:
    assert find_spans(column("電話03-0000-1234、a@example.com"), ["email"]) == {0: [Span(15, 28, "email")]}
    assert find_spans(column("電話03-0000-1234"), []) == {}
