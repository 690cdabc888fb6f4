"""Text of printed pages: what stands on every page goes, and lines that the width of the paper broke are joined."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from corpus.normalise.wrapped import BEGINS_ANEW, columns, glue

# Headers and footers are one or two lines.
_EDGE_LINES = 2
_MIN_PAGES = 3
_MIN_SHARE = 0.2
"""Of the pages: a line at an edge of so many stands on each for its own sake (chapters have their own headers)."""
_MAX_FRAME_COLUMNS = 80
_NUMBERS = re.compile(r"(?<![\d.])\d{1,5}(?![\d.]*\d)")

# A full line falls short of the width by the characters that must not begin the next one, or one long Latin word.
_FULL_SHARE = 0.88
# A note between wider margins has lines of its own width, of which no neighbour falls short by more than two kanji.
_NOTE_SHARE, _NOTE_MIN_WIDTH, _NOTE_COLUMNS = 0.7, 60, 4
_WITHIN_SENTENCE = re.compile(r"[ぁ-んァ-ヶー一-龥々、]$")
_MIN_WIDTH = 30
_MIN_LINES = 3
"""So many lines must be that wide; of fewer nobody can tell how wide the paper is."""
# An entry of a table of contents is whole, however wide: dots lead to the number of its page.
_LEADS_TO_PAGE = re.compile(r"(?:(?:[.．・]\s?){4,}|[…‥]{2,})\s*[0-9ivxlc]+$")
_LIST_SIGNS = ("•", "▶", "▷", "►", "‣", "◦", "✓", "–")


def pages_text(pages: Sequence[str]) -> str:
    """The text of pages as one.

    >>> pages_text(["社外秘 1\\n点検を行う。", "社外秘 2\\n記録する。", "社外秘 3\\n報告する。"])
    '点検を行う。\\n記録する。\\n報告する。'
    """
    lines_of = [[line for raw in _plain(page).split("\n") if (line := raw.strip())] for page in pages]
    bodies = _without_frames(lines_of)
    return _joined([line for body in bodies for line in body])


def _plain(page: str) -> str:
    # PDFium gives U+FFFE, or U+0002, for a hyphen that only broke a word.
    return re.sub("[\ufffe\x02]\r?\n?", "", page.replace("\0", "")).replace("\r\n", "\n").replace("\r", "\n")


def _without_frames(pages: list[list[str]]) -> list[list[str]]:
    repeated = _repeated(pages)
    offset = _numbering(pages)
    bodies = []
    for index, page in enumerate(pages):
        page = _without_tail(page, repeated)
        first, last = 0, len(page)
        for _ in range(_EDGE_LINES):
            first += first < last and _is_frame(page[first], index, offset, repeated)
            last -= last > first and _is_frame(page[last - 1], index, offset, repeated)
        bodies.append(page[first:last])
    return bodies


def _edges(page: list[str]) -> list[str]:
    return page[:_EDGE_LINES] + page[_EDGE_LINES:][-_EDGE_LINES:]


def _key(line: str) -> str:
    return re.sub(r"\d+", "#", line)


def _repeated(pages: list[list[str]]) -> set[str]:
    counts = Counter(key for page in pages for key in {_key(line) for line in _edges(page)})
    least = max(_MIN_PAGES, _MIN_SHARE * len(pages))
    # A number alone may be one of the text: whether it counts pages is another question.
    return {
        key
        for key, count in counts.items()
        if count >= least and columns(key) <= _MAX_FRAME_COLUMNS and any(one.isalpha() for one in key)
    }


def _numbering(pages: list[list[str]]) -> int | None:
    """The page number of the first page, if at least half of the pages show theirs at an edge."""
    counts: Counter[int] = Counter()
    for index, page in enumerate(pages):
        counts.update({number - index for line in _edges(page) for number in _outer_numbers(line)})
    if not counts:
        return None
    offset, count = min(counts.items(), key=lambda item: (-item[1], item[0]))
    return offset if count >= max(_MIN_PAGES, len(pages) / 2) else None


def _outer_numbers(line: str) -> list[int]:
    """Numbers at the beginning or end of a line, as page numbers stand; 3 and 9 of "社外秘 3 / 9"."""
    if columns(line) > _MAX_FRAME_COLUMNS:
        return []
    found = []
    for match in _NUMBERS.finditer(line):
        before, after = line[: match.start()].strip(" -–—"), line[match.end() :].strip(" -–—")
        if not before or not after or re.fullmatch(r"/\s*\d+", after):
            found.append(int(match[0]))
    return found


def _is_frame(line: str, index: int, offset: int | None, repeated: set[str]) -> bool:
    if _key(line) in repeated:
        return True
    return offset is not None and index + offset in _outer_numbers(line)


def _without_tail(page: list[str], repeated: set[str]) -> list[str]:
    """A footer that stands behind the last line, because it is at the same height."""
    if not page:
        return page
    last = page[-1]
    for at in (match.end() for match in re.finditer(r"\s+", last)):
        tail = last[at:]
        if len(tail) >= 4 and _key(tail) in repeated:
            return [*page[:-1], last[:at].rstrip()]
    return page


def _joined(lines: list[str]) -> str:
    widths = [columns(line) for line in lines]
    usual = sorted(width for width in widths if width >= _MIN_WIDTH)
    # Not the widest: a table or a line of code may stick out.
    width = usual[len(usual) * 3 // 4] if len(usual) >= _MIN_LINES else float("inf")
    out: list[str] = []
    for number, line in enumerate(lines):
        goes_on = number > 0 and _is_full(lines, widths, number - 1, width) and not BEGINS_ANEW.match(line)
        goes_on = goes_on and not line.startswith(_LIST_SIGNS) and not _LEADS_TO_PAGE.search(lines[number - 1])
        if goes_on:
            out[-1] += glue(out[-1], line) + line
        else:
            out.append(line)
    return "\n".join(out)


def _is_full(lines: Sequence[str], widths: Sequence[int], at: int, width: float) -> bool:
    """Whether a line ends because the paper does, or the box that it stands in."""
    if widths[at] >= width * _FULL_SHARE:
        return True
    beside = (other for other in (at - 1, at + 1) if 0 <= other < len(lines))
    return (
        widths[at] >= max(width * _NOTE_SHARE, _NOTE_MIN_WIDTH)
        and _WITHIN_SENTENCE.search(lines[at]) is not None
        and any(abs(widths[other] - widths[at]) <= _NOTE_COLUMNS for other in beside)
    )
