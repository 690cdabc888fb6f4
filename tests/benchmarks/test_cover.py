"""Pairwise selections: everything meets that can, and the rows are the same every time."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from benchmarks.engine_lab.cover import cover, met, pairs

SIZES = st.lists(st.integers(1, 4), min_size=2, max_size=5)


@given(SIZES, st.booleans())
def test_every_pair_that_can_be_is_in_a_row(sizes: list[int], forbid: bool) -> None:
    factors = {f"factor {number}": [str(value) for value in range(size)] for number, size in enumerate(sizes)}

    def impossible(row: Mapping[str, str]) -> str | None:
        first_of_both = row.get("factor 0") == "0" and row.get("factor 1") == "0"
        return "for the test" if forbid and first_of_both and sizes[0] > 1 and sizes[1] > 1 else None

    rows = cover(factors, impossible)
    assert rows == cover(factors, impossible)
    assert all(list(row) == list(factors) and impossible(row) is None for row in rows)
    reached = set().union(*(met(row) for row in rows))
    assert {frozenset(pair.items()) for pair in pairs(factors, impossible)} <= reached


def test_factors_that_are_kept_apart_add_no_rows() -> None:
    factors = {"a": "1234", "b": "1234", "c": "12"}
    assert len(cover(factors, lambda row: None)) >= 16
    assert len(cover(factors, lambda row: None, apart=[("a", "b")])) <= 8
