"""Letterheads and footers: lines of many documents go from all of them, once per document counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import groupby

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.schema.dedup import RepeatedLines
from corpus.batch import Batch
from corpus.dedup.repeated_lines import count_lines, empty_rows, merge_counts, remove_lines, repeated
from corpus.tally import Tally

SETTINGS = RepeatedLines(min_documents=3, min_characters=4)
HEAD = "蓼原精機株式会社"


def cleaned(batch: Batch, settings: RepeatedLines = SETTINGS) -> tuple[list[str], Tally]:
    """The texts without the lines that repeat among them."""
    tally = Tally()
    left = remove_lines(batch, repeated(count_lines([batch], settings), settings), tally)
    return left.column("text").to_pylist(), tally


@pytest.mark.parametrize(
    ("documents", "goes"), [pytest.param(3, True, id="in three documents"), pytest.param(2, False, id="in two")]
)
def test_a_line_goes_from_the_bound_on(batch_of: Callable[..., Batch], documents: int, goes: bool) -> None:
    texts, tally = cleaned(batch_of(*(f"{HEAD}\n第{n}号の記録" for n in range(documents))))
    assert texts == [f"第{n}号の記録" if goes else f"{HEAD}\n第{n}号の記録" for n in range(documents)]
    assert tally.counts == ({"lines_removed": 3, "documents_with_lines_removed": 3} if goes else {})


@pytest.mark.parametrize(
    ("line", "goes"), [pytest.param("以上です", True, id="four"), pytest.param("以上で", False, id="three")]
)
def test_lines_shorter_than_the_bound_are_never_counted(batch_of: Callable[..., Batch], line: str, goes: bool) -> None:
    texts, _ = cleaned(batch_of(*(f"第{n}号の記録\n{line}" for n in range(5))))
    assert any(line in text for text in texts) != goes


def test_a_document_counts_a_line_once(batch_of: Callable[..., Batch]) -> None:
    texts, _ = cleaned(batch_of(f"{HEAD}\n一\n{HEAD}\n{HEAD}", f"{HEAD}\n二"))
    assert texts == [f"{HEAD}\n一\n{HEAD}\n{HEAD}", f"{HEAD}\n二"]


def test_the_same_line_is_found_at_every_indent_and_every_time(batch_of: Callable[..., Batch]) -> None:
    texts, tally = cleaned(batch_of(f"　{HEAD}\n一", f"二\n{HEAD} ", f"{HEAD}\n三\n\n\n蓼原 精機\t株式会社"))
    assert texts == ["一", "二", "三"]
    assert tally.counts["lines_removed"] == 4


@pytest.mark.parametrize(
    ("documents", "goes"), [pytest.param(3, True, id="in three documents"), pytest.param(2, False, id="in two")]
)
def test_a_paragraph_of_lines_that_are_too_short_goes_from_the_bound_on(
    batch_of: Callable[..., Batch], documents: int, goes: bool
) -> None:
    menu = "電話\n地図\n採用"
    texts, tally = cleaned(batch_of(*(f"題{n}\n\n{menu}\n\n電話" for n in range(documents))))
    assert texts == [f"題{n}\n\n電話" if goes else f"題{n}\n\n{menu}\n\n電話" for n in range(documents)]
    assert tally.counts == ({"lines_removed": 9, "documents_with_lines_removed": 3} if goes else {})


def test_a_paragraph_with_another_line_in_it_is_another(batch_of: Callable[..., Batch]) -> None:
    texts, _ = cleaned(batch_of(*(f"題{n}\n\n電話\n第{n}\n地図" for n in range(3))))
    assert texts == [f"題{n}\n\n電話\n第{n}\n地図" for n in range(3)]


@pytest.mark.parametrize(
    ("paragraph", "goes"), [pytest.param("以上\nです", True, id="four"), pytest.param("以上\nで", False, id="three")]
)
def test_paragraphs_shorter_than_the_bound_are_never_counted(
    batch_of: Callable[..., Batch], paragraph: str, goes: bool
) -> None:
    texts, _ = cleaned(batch_of(*(f"第{n}号の記録\n\n{paragraph}" for n in range(5))))
    assert any(paragraph in text for text in texts) != goes


def test_empty_lines_stay_and_gaps_close(batch_of: Callable[..., Batch]) -> None:
    texts, _ = cleaned(batch_of(*(f"題{n}\n\n{HEAD}\n\n文{n}" for n in range(3))))
    assert texts == [f"題{n}\n\n文{n}" for n in range(3)]


def test_a_document_of_nothing_else_is_empty(batch_of: Callable[..., Batch]) -> None:
    batch = batch_of(HEAD, f"{HEAD}\n", f"{HEAD}\n三")
    left = remove_lines(batch, repeated(count_lines([batch], SETTINGS), SETTINGS), Tally())
    assert empty_rows(left).to_pylist() == [True, True, False]


def test_a_document_is_empty_that_has_nothing_but_spaces_of_any_kind(batch_of: Callable[..., Batch]) -> None:
    texts = ["", " ", "\u3000\n\x1f", "\u3000一", "一\u3000", "\u200b"]
    assert empty_rows(batch_of(*texts)).to_pylist() == [not text or text.isspace() for text in texts]


def test_the_other_columns_stay(batch_of: Callable[..., Batch]) -> None:
    batch = batch_of(*(f"{HEAD}\n{n}" for n in range(3)))
    left = remove_lines(batch, repeated(count_lines([batch], SETTINGS), SETTINGS), Tally())
    assert left.drop_columns(["text"]) == batch.drop_columns(["text"])


def test_no_documents_have_no_lines(batch_of: Callable[..., Batch]) -> None:
    empty = batch_of("x").slice(0, 0)
    hashes, counts = count_lines([empty], SETTINGS)
    assert (hashes.size, counts.size) == (0, 0)
    assert count_lines([], SETTINGS)[0].size == 0
    assert remove_lines(empty, np.array([1], np.uint64), Tally()).num_rows == 0


TEXTS = st.lists(
    st.lists(st.sampled_from(["あいう", "かきくけ", "かき くけ", "さしすせそ", ""]), max_size=4).map("\n".join),
    max_size=8,
)


@given(TEXTS, st.integers(0, 8))
def test_counts_are_those_of_a_plain_reading_however_the_documents_are_cut(
    batch_of: Callable[..., Batch], texts: list[str], cut: int
) -> None:
    plain: Counter[tuple[str, ...]] = Counter()
    for text in texts:
        lines = [line.replace(" ", "") for line in text.split("\n")]
        blocks = {tuple(block) for filled, block in groupby(lines, bool) if filled}
        chosen = {(line,) for line in lines} | {block for block in blocks if len(block) > 1}
        plain.update(one for one in chosen if sum(map(len, one)) >= 4)
    parts = [part for part in (texts[:cut], texts[cut:]) if part]
    counted = [count_lines([batch_of(*part)], SETTINGS) for part in parts]
    together = count_lines([batch_of(*part) for part in parts], SETTINGS)
    if counted:
        hashes, documents = merge_counts(counted)
        assert hashes.tolist() == together[0].tolist()
        assert documents.tolist() == together[1].tolist()
    assert sorted(together[1].tolist()) == sorted(plain.values())
