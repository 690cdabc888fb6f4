"""Japanese lines that were broken at a fixed width, as old mail and word processors do."""

from __future__ import annotations

import re

import numpy as np

from corpus.kernels.lines import line_columns
from corpus.kernels.marks import Flags
from corpus.kernels.utf8 import Bytes, Int64

_WIDE = re.compile(r"[\u1100-\uff60\uffe0-\uffff]")
BEGINS_ANEW = re.compile(
    r"[\s>＞|｜・●○■□◆◇▼▲※＊*+【\-–—=_#]|[0-9０-９]{1,3}[.)）．、:：]|[(（][0-9０-９ア-ン]{1,2}[)）]|第[0-9０-９一二三四五六七八九十]"
)
"""How a line begins that goes on from no other: list signs, numbers, quotations."""
_ENDS_SENTENCE = re.compile(r"[。．.！？!?：:」』】)）]$")

_MIN_WIDTH, _MAX_WIDTH = 40, 120
_TOLERANCE = 6
"""Columns by which a full line may fall short: no line begins with a full stop or small kana, so lines vary."""
_MIN_FULL_LINES = 3
_MIN_FULL_SHARE = 0.4


def columns(line: str) -> int:
    """Width of a line in character cells; kana and kanji take two.

    >>> columns("点検 TP")
    7
    """
    return len(line) + len(_WIDE.findall(line))


def wrapped(offsets_N1: Int64, utf8: Bytes) -> Flags:
    """Which documents of a text column are taken as wrapped.

    Those with at least three full lines, of about the same width, that are at least 40 % of the longer lines.

    Returns:
        bool, (N,).
    """
    first_N1, columns_L = line_columns(offsets_N1, utf8)
    width_N, lines_N = np.maximum.reduceat(columns_L, first_N1[:-1]), np.diff(first_N1)
    full_N = np.add.reduceat(columns_L >= np.repeat(width_N - _TOLERANCE, lines_N), first_N1[:-1])
    long_N = np.add.reduceat(columns_L >= np.repeat(width_N // 2, lines_N), first_N1[:-1])
    fits_N = (width_N >= _MIN_WIDTH) & (width_N <= _MAX_WIDTH)
    return fits_N & (full_N >= _MIN_FULL_LINES) & (full_N >= _MIN_FULL_SHARE * long_N)


def unwrap(text: str) -> str:
    """Join lines that end where the line was full and not where the sentence was, in a document that is wrapped."""
    utf8 = text.encode()
    if not wrapped(np.array([0, len(utf8)]), np.frombuffer(utf8, np.uint8))[0]:
        return text
    lines = text.split("\n")
    widths = [columns(line) for line in lines]
    width = max(widths)
    full = [one >= width - _TOLERANCE for one in widths]
    # Where paragraphs begin with an indent, a line without one goes on, even after a full stop.
    indented = sum(line[:1].isspace() and one >= width // 2 for line, one in zip(lines, widths, strict=True)) >= 2
    joined = [lines[0]]
    for before, was_full, line in zip(lines[:-1], full[:-1], lines[1:], strict=True):
        open_end = indented or not _ENDS_SENTENCE.search(before)
        if was_full and line and open_end and not BEGINS_ANEW.match(line):
            joined[-1] += glue(before, line) + line
        else:
            joined.append(line)
    return "\n".join(joined)


def glue(before: str, after: str) -> str:
    """What joins two lines: a space between two Latin words, nothing between Japanese characters."""
    return " " if before[-1].isascii() and after[0].isascii() else ""
