"""Bands: documents that agree in all values of one band are candidates, and no others."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from corpus.dedup.bands import groups_of, hash_bands
from corpus.kernels.shingles import UInt32

# Few different values, so that bands agree often.
SIGNATURES = st.integers(1, 3).flatmap(
    lambda bands: st.tuples(
        st.just(bands), st.lists(st.lists(st.integers(0, 1), min_size=2 * bands, max_size=2 * bands), max_size=8)
    )
)


def signature(rows: list[list[int]], values: int) -> UInt32:
    """Signatures as the kernel wants them."""
    return np.array(rows, np.uint32).reshape(len(rows), values)


@given(SIGNATURES)
def test_groups_are_those_that_agree_in_a_band(drawn: tuple[int, list[list[int]]]) -> None:
    bands, rows = drawn
    groups = groups_of(hash_bands(signature(rows, 2 * bands), bands, 2))
    plain: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for number, row in enumerate(rows):
        for band in range(bands):
            plain[band, *row[2 * band : 2 * band + 2]].append(number)
    expected = {tuple(group) for group in plain.values() if len(group) > 1}
    assert sorted(tuple(group.tolist()) for group in groups) == sorted(expected)


def test_equal_values_in_different_bands_do_not_meet() -> None:
    one, other = [1, 2, 3, 4], [3, 4, 1, 2]
    assert groups_of(hash_bands(signature([one, other], 4), 2, 2)) == []


def test_the_order_of_the_values_of_a_band_matters() -> None:
    assert groups_of(hash_bands(signature([[1, 2], [2, 1]], 2), 1, 2)) == []


def test_no_documents_have_no_groups() -> None:
    assert groups_of(hash_bands(signature([], 8), 4, 2)) == []
