"""Softer boundaries: of those between morphemes only the ones between phrases, or between compounds.

A phrase goes on up to where hiragana end, which in Japanese are the particles and endings behind a word:
半導体製造装置の | 点検を | 行う. It is about a bunsetsu, found without asking the analyser for parts of speech.
A compound is what of it is letters other than hiragana: 半導体製造装置 | の | 点検 | を | 行う.
"""

from __future__ import annotations

import unicodedata
from typing import Literal

import numpy as np
import pyarrow as pa

from corpus.batch import utf8_of
from corpus.kernels.compile import kernel
from corpus.kernels.utf8 import Bytes, Int64, code_point
from tokenizer.point_classes import PointClasses
from tokenizer.unit_kernel import AFTER, MORPHEME

Between = Literal["morphemes", "compounds", "soft"]
"""What lies between two boundaries; soft means phrases."""

_NEITHER, _LETTER, _HIRAGANA, _NUMBER = range(4)
_FIRST_HIRAGANA, _LAST_HIRAGANA = 0x3041, 0x309F


class Phrases:
    """Takes the boundaries inside phrases away; built once, used for any number of texts.

    Args:
        compounds: only those inside compounds.
    """

    def __init__(self, *, compounds: bool = False) -> None:
        self._classes, self._compounds = PointClasses(_classes), compounds

    def soften(self, text: pa.LargeStringArray, marks: Bytes) -> None:
        """Of marked documents unmark where a morpheme begins inside a phrase.

        Args:
            marks: of each byte, and two more after each document.
        """
        offset_N1, utf8 = utf8_of(text)
        utf8 = utf8[offset_N1[0] : offset_N1[-1]]
        _soften(utf8, offset_N1 - offset_N1[0], marks, self._classes.of(utf8), self._compounds)


def _classes(points: Int64) -> Bytes:
    found = np.full(len(points), _NEITHER, np.uint8)
    for place, point in enumerate(points.tolist()):
        if _FIRST_HIRAGANA <= point <= _LAST_HIRAGANA:
            found[place] = _HIRAGANA
        elif (kind := unicodedata.category(chr(point))[0]) in "LMN":
            found[place] = _NUMBER if kind == "N" else _LETTER
    return found


@kernel
def _soften(utf8: Bytes, offset_N1: Int64, marks: Bytes, classes: Bytes, compounds: bool) -> None:
    """Keep marks around what is no letter, mark or number, and where something else follows on hiragana.

    Args:
        compounds: keep all that do not stand between two letters other than hiragana.
    """
    for n in range(len(offset_N1) - 1):
        at, before = offset_N1[n], np.int64(_NEITHER)
        while at < offset_N1[n + 1]:
            point, behind = code_point(utf8, at)
            kind = np.int64(classes[point])
            inside = before != _NEITHER and kind != _NEITHER and (before != _HIRAGANA or kind == _HIRAGANA)
            if compounds:
                inside = before == _LETTER and kind == _LETTER
            if inside:
                marks[at + AFTER * n] &= 0xFF ^ MORPHEME
            at, before = behind, kind
