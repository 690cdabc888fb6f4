"""Whether two texts are similar, from the texts themselves."""

from __future__ import annotations

import re
from functools import cached_property

from corpus.kernels.shingles import jaccard, shingles_of
from corpus.kernels.utf8 import UInt64

_SPACE = re.compile("[ \t\n]|\u3000".encode())


class Shingles:
    """The character 5-grams of a text, without its spaces and newlines, and with them when asked for."""

    def __init__(self, utf8: bytes) -> None:
        self.without = shingles_of(utf8)
        # The text is kept only where the other form differs, and until that is needed.
        self._utf8 = utf8 if _SPACE.search(utf8) else None

    @cached_property
    def with_spaces(self) -> UInt64:
        """The set that counts spaces and newlines as characters."""
        if self._utf8 is None:
            return self.without
        return shingles_of(self._utf8, spaces=True)


def similar(one: Shingles, other: Shingles, threshold: float) -> bool:
    """Whether the Jaccard similarity reaches the threshold, in one of the two forms.

    A text that is only wrapped anew is a copy, and so is one that the plain definition, which counts spaces, calls one:
    without the second form 1 to 2 % of the pairs at or above 0.8 by that definition would both stay.
    """
    if jaccard(one.without, other.without) >= threshold:
        return True
    return bool(jaccard(one.with_spaces, other.with_spaces) >= threshold)
