"""Japanese lines that were broken at a fixed width, as old mail and word processors do."""

from __future__ import annotations

import re

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


def unwrap(text: str) -> str:
    """Join lines that end where the line was full and not where the sentence was.

    A document is taken as wrapped if it has at least three full lines, of about the same width, and they are at
    least 40 % of its longer lines; any other document stays as it is.
    """
    lines = text.split("\n")
    widths = [columns(line) for line in lines]
    width = max(widths)
    if not _MIN_WIDTH <= width <= _MAX_WIDTH:
        return text
    full = [one >= width - _TOLERANCE for one in widths]
    long_lines = sum(one >= width // 2 for one in widths)
    if sum(full) < _MIN_FULL_LINES or sum(full) < _MIN_FULL_SHARE * long_lines:
        return text
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
