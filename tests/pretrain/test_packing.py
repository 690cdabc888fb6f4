from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pretrain.packing import pack

LENGTHS = st.lists(st.integers(0, 60), max_size=80)


def covered(lengths: list[int], seq_len: int) -> list[list[int]]:
    """For each document how often each of its positions occurs in some sequence."""
    first_S1, pieces = pack(np.array(lengths, np.int64), seq_len)
    counts = [[0] * max(length - 1, 0) for length in lengths]
    for piece in pieces:
        for position in range(piece["start"], piece["start"] + piece["length"]):
            counts[piece["document"]][position] += 1
    assert first_S1[0] == 0
    assert first_S1[-1] == len(pieces)
    return counts


@given(LENGTHS, st.integers(1, 24))
def test_every_position_of_every_document_occurs_exactly_once(lengths: list[int], seq_len: int) -> None:
    assert all(count == 1 for document in covered(lengths, seq_len) for count in document)


@given(LENGTHS, st.integers(1, 24))
def test_no_sequence_is_longer_than_allowed_and_none_is_empty(lengths: list[int], seq_len: int) -> None:
    first_S1, pieces = pack(np.array(lengths, np.int64), seq_len)
    for start, end in itertools.pairwise(first_S1):
        assert 0 < pieces["length"][start:end].sum() <= seq_len


@given(LENGTHS, st.integers(2, 24))
def test_no_two_sequences_would_fit_into_one(lengths: list[int], seq_len: int) -> None:
    """Best fit never opens a sequence while another has room enough."""
    first_S1, pieces = pack(np.array(lengths, np.int64), seq_len)
    sums = [int(pieces["length"][a:b].sum()) for a, b in itertools.pairwise(first_S1)]
    assert sum(2 * total <= seq_len for total in sums) <= 1


@pytest.mark.parametrize(
    ("tokens", "pieces"),
    [
        pytest.param(9, [(0, 8)], id="exactly a sequence"),
        pytest.param(10, [(0, 8), (8, 1)], id="one position more"),
        pytest.param(17, [(0, 8), (8, 8)], id="exactly two"),
        pytest.param(2, [(0, 1)], id="one token and the end"),
        pytest.param(1, [], id="nothing but the end predicts nothing"),
        pytest.param(0, [], id="nothing at all"),
    ],
)
def test_a_document_is_cut_at_the_length_of_a_sequence(tokens: int, pieces: list[tuple[int, int]]) -> None:
    _, found = pack(np.array([tokens]), 8)
    assert [(int(piece["start"]), int(piece["length"])) for piece in found] == pieces


def test_padding_stays_below_one_percent_on_documents_as_they_are() -> None:
    lengths = np.random.default_rng(0).lognormal(6.0, 1.2, 30_000).astype(np.int64) + 2
    first_S1, pieces = pack(lengths, 4096)
    assert 1 - pieces["length"].sum() / ((len(first_S1) - 1) * 4096) < 0.01


def test_documents_of_equal_length_stay_in_their_order() -> None:
    _, pieces = pack(np.array([5, 5, 5, 5]), 8)
    assert pieces["document"].tolist() == [0, 1, 2, 3]
