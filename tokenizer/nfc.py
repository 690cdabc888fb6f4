"""NFC of columns of text as the `tokenizers` library gives it; only texts that it may change are given to it.

Which code points are inert, Python's Unicode tables say. That holds for the library's, whatever their version: text of
characters that have been assigned keeps its normal form in all later versions (Unicode Standard Annex 15, stability),
an older version knows nothing of what it lacks, and a code point that is not assigned in Python's is not inert.
"""

from __future__ import annotations

import unicodedata
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from tokenizers import normalizers

from corpus.batch import utf8_of
from corpus.kernels.compile import kernel
from corpus.kernels.utf8 import Bytes, Int64, code_point
from tokenizer.known_words import Mask
from tokenizer.point_classes import PointClasses

_INERT = 1
_LAST_COMPOSED = 0x30000
_HANGUL_PARTS = (range(0x1161, 0x1176), range(0x11A8, 0x11C3))


class Nfc:
    """The library's NFC, for columns."""

    def __init__(self) -> None:
        self._normaliser = normalizers.NFC()
        self._kinds = PointClasses(lambda points: np.array([is_inert(point) for point in points.tolist()], np.uint8))

    def __call__(self, text: pa.LargeStringArray) -> pa.LargeStringArray:
        """The same documents, normalised; without nulls, at least one."""
        offset_N1, utf8 = utf8_of(text)
        kinds = self._kinds.of(utf8[offset_N1[0] : offset_N1[-1]])
        changeable_N = np.zeros(len(text), np.bool_)
        _active_documents(utf8, offset_N1, kinds, changeable_N)
        if not changeable_N.any():
            return text
        mask = pa.array(changeable_N)
        changed = [self._normaliser.normalize_str(one) for one in text.filter(mask).to_pylist()]
        return pc.replace_with_mask(text, mask, pa.array(changed, pa.large_string()))


def is_inert(point: int) -> bool:
    """Whether NFC leaves a code point as it is, whatever stands beside it."""
    character = chr(point)
    return (
        unicodedata.category(character) != "Cn"
        and unicodedata.combining(character) == 0
        and unicodedata.normalize("NFC", character) == character
        and point not in _later_parts()
    )


@cache
def _later_parts() -> frozenset[int]:
    """What can be joined to something before it."""
    decomposed = (unicodedata.normalize("NFD", chr(point))[1:] for point in range(_LAST_COMPOSED))
    return frozenset(map(ord, set("".join(decomposed)))).union(*_HANGUL_PARTS)


@kernel
def _active_documents(utf8: Bytes, offset_N1: Int64, kinds: Bytes, found_N: Mask) -> None:
    """Mark the documents in which a code point stands that is not inert."""
    for n in range(len(found_N)):
        at = offset_N1[n]
        while at < offset_N1[n + 1] and not found_N[n]:
            point, at = code_point(utf8, at)
            found_N[n] = kinds[point] != _INERT
