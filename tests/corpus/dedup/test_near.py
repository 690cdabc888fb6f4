"""Deduplication: what goes resembles something that stays, and what stays resembles nothing before it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from itertools import combinations
from random import Random

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.schema.dedup import Dedup
from corpus.batch import utf8_of
from corpus.dedup.bands import groups_of, hash_bands
from corpus.dedup.near import STAYS, Verdict, _Kept, _survivors, deduplicate, least_estimate
from corpus.kernels.shingles import jaccard, shingles_of, signatures

SETTINGS = Dedup()


def random_text(seed: int, length: int = 400) -> str:
    """Text of characters that no other seed has in this order."""
    generator = np.random.default_rng(seed)
    return "".join(map(chr, generator.integers(0x4E00, 0x9FA0, length).tolist()))


def similarity(one: str, other: str) -> float:
    """Jaccard similarity of two texts."""
    return float(jaccard(shingles_of(one), shingles_of(other)))


def verdict_of(texts: Sequence[str], settings: Dedup = SETTINGS) -> Verdict:
    """Decide on texts in the order of preference."""
    signature_NK = signatures(*utf8_of(pa.array(texts, pa.large_string())), settings.bands * settings.rows)
    content = [hashlib.sha256(text.encode()).digest() for text in texts]
    return deduplicate(content, signature_NK, [text.encode() for text in texts], settings)


def kept(verdict: Verdict) -> list[int]:
    """Rows that stay."""
    return [int(row) for row in np.flatnonzero((verdict.exact_N == STAYS) & (verdict.near_N == STAYS))]


LONG = random_text(0, 600)
A, B, C = LONG[:400], LONG[30:430], LONG[60:460]


def test_a_chain_keeps_both_ends() -> None:
    assert similarity(A, B) > 0.8
    assert similarity(B, C) > 0.8
    assert similarity(A, C) < 0.75
    verdict = verdict_of([A, B, C])
    assert kept(verdict) == [0, 2]
    assert verdict.near_N.tolist() == [STAYS, 0, STAYS]
    # What resembles a dropped document is of its cluster, so that the held-out split keeps the chain together.
    assert verdict.cluster_N.tolist() == [0, 0, 0]


def test_where_the_middle_of_a_chain_comes_first_both_ends_go() -> None:
    verdict = verdict_of([B, A, C])
    assert kept(verdict) == [0]
    assert verdict.near_N.tolist() == [STAYS, 0, 0]
    assert verdict.cluster_N.tolist() == [0, 0, 0]


def test_the_document_that_is_preferred_stays() -> None:
    first, second = verdict_of([A, B]), verdict_of([B, A])
    assert (kept(first), kept(second)) == ([0], [0])
    assert (first.near_N.tolist(), second.near_N.tolist()) == ([STAYS, 0], [STAYS, 0])


def test_of_several_kept_ones_the_most_preferred_is_the_survivor() -> None:
    assert verdict_of([A, C, B]).near_N.tolist() == [STAYS, STAYS, 0]


def test_equal_texts_are_exact_copies_and_not_near_ones() -> None:
    verdict = verdict_of([A, random_text(1), A, A])
    assert verdict.exact_N.tolist() == [STAYS, STAYS, 0, 0]
    assert verdict.near_N.tolist() == [STAYS] * 4
    assert verdict.cluster_N.tolist() == [0, 1, 0, 0]


def test_a_copy_of_a_document_that_goes_names_the_one_that_stays() -> None:
    verdict = verdict_of([A, B, B])
    assert kept(verdict) == [0]
    assert (verdict.exact_N.tolist(), verdict.near_N.tolist()) == ([STAYS] * 3, [STAYS, 0, 0])
    assert verdict.cluster_N.tolist() == [0, 0, 0]


def test_texts_that_differ_in_spaces_alone_are_near_copies() -> None:
    verdict = verdict_of([A, A[:200] + "\n" + A[200:]])
    assert (verdict.exact_N.tolist(), verdict.near_N.tolist()) == ([STAYS, STAYS], [STAYS, 0])


@pytest.mark.parametrize(
    ("threshold", "goes"), [pytest.param(0.5, True, id="exactly on it"), pytest.param(0.500001, False, id="above")]
)
def test_on_the_threshold_a_document_goes(threshold: float, goes: bool) -> None:
    # 12 and 12 shingles, 8 of them the same: 8 of 16.
    one, other = LONG[:16], LONG[4:20]
    assert similarity(one, other) == 0.5
    verdict = verdict_of([one, other], Dedup(threshold=threshold, bands=256, rows=1))
    assert kept(verdict) == ([0] if goes else [0, 1])


@pytest.mark.parametrize("texts", [[], [""], ["", " ", "\n"], ["弁"], ["弁", "栓"]], ids=repr)
def test_texts_with_hardly_any_characters_are_compared_exactly(texts: list[str]) -> None:
    assert kept(verdict_of(texts)) == list(range(len(texts)))


def test_nothing_is_kept_twice() -> None:
    assert kept(verdict_of(["", "", "弁", "弁"])) == [0, 2]


def corpus_of(edits: list[tuple[int, int, int]]) -> list[str]:
    """Texts that begin as one of four and are then shifted and cut."""
    originals = [random_text(100 + number, 300) for number in range(4)]
    return [originals[which][shift : 250 + shift - cut] for which, shift, cut in edits]


EDITS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 40), st.integers(0, 60)), max_size=14)


@given(EDITS)
@settings(max_examples=40)
def test_who_goes_resembles_one_who_stays_and_who_stays_resembles_nobody(edits: list[tuple[int, int, int]]) -> None:
    texts = corpus_of(edits)
    verdict = verdict_of(texts)
    stay = set(kept(verdict))
    for row, (exact, near) in enumerate(zip(verdict.exact_N.tolist(), verdict.near_N.tolist(), strict=True)):
        assert exact == STAYS or near == STAYS
        if exact != STAYS:
            assert exact in stay
            assert exact < row
            assert texts[exact] == texts[row]
        if near != STAYS:
            assert near in stay
            assert near < row
            assert similarity(texts[near], texts[row]) >= SETTINGS.threshold
        if row not in stay:
            assert verdict.cluster_N[row] == verdict.cluster_N[max(exact, near)]
    # 32 bands of 8 miss a pair of 0.9 once in ten million times.
    for one, other in combinations(sorted(stay), 2):
        assert similarity(texts[one], texts[other]) < 0.9


@given(EDITS, st.randoms(use_true_random=False))
@settings(max_examples=25)
def test_the_order_of_the_groups_does_not_matter(edits: list[tuple[int, int, int]], random: Random) -> None:
    texts = corpus_of(edits)
    signature_NK = signatures(*utf8_of(pa.array(texts, pa.large_string())), 256)
    groups = groups_of(hash_bands(signature_NK, 32, 8))
    survivors = []
    for _ in range(2):
        nothing = _Kept([None] * len(texts), signature_NK, 0.8)
        survivors.append(_survivors(nothing, [text.encode() for text in texts], groups, len(texts), 0).tolist())
        random.shuffle(groups)
    assert survivors[0] == survivors[1]


def test_an_existing_corpus_loses_nothing_and_takes_what_resembles_it_by_signature() -> None:
    texts = [A, A, random_text(1), B, random_text(2)]
    signature_NK = signatures(*utf8_of(pa.array(texts, pa.large_string())), 256)
    known = [None, None, None, B.encode(), random_text(2).encode()]
    verdict = deduplicate([None] * 5, signature_NK, known, SETTINGS, fixed=3)
    assert verdict.near_N.tolist() == [STAYS, STAYS, STAYS, 0, STAYS]


def test_without_texts_two_standard_errors_are_allowed() -> None:
    assert least_estimate(0.8, 256) == pytest.approx(0.75)
