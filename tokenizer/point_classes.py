"""Classes of code points, asked for once for each that a text has."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from corpus.kernels.compile import kernel
from corpus.kernels.utf8 import Bytes, Int64, code_point

_UNKNOWN = 255
_CODE_POINTS = 0x110000


class PointClasses:
    """A table that fills as it is asked.

    Args:
        classify: the class, below 255, of each of some code points.
    """

    def __init__(self, classify: Callable[[Int64], Bytes]) -> None:
        self._classify = classify
        self._classes = np.full(_CODE_POINTS, _UNKNOWN, np.uint8)

    def of(self, utf8: Bytes) -> Bytes:
        """Classes of all code points (0x110000,); only those of the text are sure to be known."""
        new = _unknown(utf8, self._classes)
        if len(new):
            self._classes[new] = self._classify(new)
        return self._classes


@kernel
def _unknown(utf8: Bytes, classes: Bytes) -> Int64:
    """The code points of a text whose class is unknown, each once."""
    seen = np.zeros(len(classes), np.uint8)
    at = 0
    while at < len(utf8):
        point, at = code_point(utf8, at)
        seen[point] = 1
    return np.flatnonzero((seen == 1) & (classes == _UNKNOWN))
