"""Sets of documents that belong together, by union-find; the smallest row number stands for a set."""

from __future__ import annotations

import numpy as np

from corpus.kernels.utf8 import Int64


class Clusters:
    """Disjoint sets of rows 0 to N - 1; the result does not depend on the order of the joins."""

    def __init__(self, rows: int) -> None:
        self._parent = np.arange(rows)

    def first(self, row: int) -> int:
        """The smallest row of the set."""
        while (parent := int(self._parent[row])) != row:
            self._parent[row] = self._parent[parent]
            row = int(self._parent[row])
        return row

    def join(self, one: int, other: int) -> None:
        """Make one set of two."""
        a, b = sorted((self.first(one), self.first(other)))
        self._parent[b] = a

    def labels(self) -> Int64:
        """The smallest row of every row's set, int64 (N,)."""
        return np.array([self.first(row) for row in range(self._parent.size)], np.int64)
