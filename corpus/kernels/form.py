"""The form of documents as llm-jp-corpus v1 and HojiChar look at it: lines, full stops, runs; one pass over the bytes.

Shapes: N documents, C counts.
"""

from __future__ import annotations

import numpy as np

from corpus.kernels.compile import kernel
from corpus.kernels.sentences import TABLE
from corpus.kernels.utf8 import Bytes, Int64, code_point

COUNTS = (
    "characters",
    "visible",
    "full_stops",
    "early_kana",
    "longest_run",
    "newlines",
    "ellipsis_lines",
    "short_lines",
)
CHARACTERS, VISIBLE, FULL_STOPS, EARLY_KANA, LONGEST_RUN, NEWLINES, ELLIPSIS_LINES, SHORT_LINES = range(len(COUNTS))

EARLY = 50
"""Where HojiChar's AcceptJapanese looks for kana, in characters from the beginning."""
SHORT_LINE = 10
"""Characters of a short line at most, by HojiChar's DiscardTooShortLines."""


@kernel
def _count(offsets_N1: Int64, utf8: Bytes, classes: Bytes, counts_NC: Int64) -> None:
    for n in range(offsets_N1.size - 1):
        row = counts_NC[n]
        at, end = offsets_N1[n], offsets_N1[n + 1]
        before, run, dots, line = np.int64(-1), 0, 0, 0
        while at < end:
            point, at = code_point(utf8, at)
            row[0] += 1
            row[1] += point >= 0x10000 or (classes[point] != 7 and classes[point] != 8)
            row[2] += point == 0x3002
            # From ぁ to ん and from ァ to ン.
            row[3] += row[0] <= 50 and (0x3041 <= point <= 0x3093 or 0x30A1 <= point <= 0x30F3)
            run = run + 1 if point == before else 1
            row[4] = max(row[4], run)
            if point == 10:
                row[5] += 1
                row[6] += before == 0x2026 or dots >= 3
                row[7] += line <= 10
                line = 0
            else:
                line += 1
            dots = dots + 1 if point == 46 else 0
            before = point
        row[7] += line <= 10


def count_form(offsets_N1: Int64, utf8: Bytes) -> Int64:
    """The counts of every document.

    Returns:
        int64, (N, C), columns in the order of COUNTS: all characters; those that are no space; 。; kana among the
        first 50; equal characters in a row at most; newlines; those after … or ...; lines of at most ten characters.
    """
    counts_NC = np.zeros((offsets_N1.size - 1, len(COUNTS)), np.int64)
    _count(offsets_N1, utf8, TABLE, counts_NC)
    return counts_NC
