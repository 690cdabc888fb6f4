"""Runs of equal numbers against Python's own grouping."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from corpus.kernels.runs import begins_of_runs


@given(st.lists(st.integers(0, 5)))
def test_each_number_has_its_first_place(numbers: list[int]) -> None:
    ordered = sorted(numbers)
    lengths = [len(list(group)) for _, group in itertools.groupby(ordered)]
    begins = [0, *itertools.accumulate(lengths)][:-1]
    assert begins_of_runs(np.array(ordered, np.int64)).tolist() == begins
