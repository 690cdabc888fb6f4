"""Where runs of equal numbers begin in an array that is sorted, so that each number stands once."""

from __future__ import annotations

from typing import Any

import numpy as np

from corpus.kernels.utf8 import Int64


def begins_of_runs(sorted_N: np.ndarray[Any, np.dtype[Any]]) -> Int64:
    """Index of the first of each run of equal numbers.

    Not `np.unique`: that sorts again, or hashes first.

    Args:
        sorted_N: equal numbers stand side by side.
    Returns:
        int64, as many as there are different numbers, ascending.

    >>> begins_of_runs(np.array([3, 3, 5, 9, 9])).tolist()
    [0, 2, 3]
    >>> begins_of_runs(np.array([])).tolist()
    []
    """
    begins_N = np.ones(sorted_N.size, np.bool_)
    np.not_equal(sorted_N[1:], sorted_N[:-1], out=begins_N[1:])
    return np.flatnonzero(begins_N)
