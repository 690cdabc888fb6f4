"""Characters: compatibility forms, punctuation, what is invisible."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

import numpy as np

from corpus.kernels.marks import Flags

# C0 and C1 controls but tab and newline, soft hyphen, zero-width and direction marks, BOM; U+2028 and U+2029 are
# line ends to some programs and nothing to others.
_INVISIBLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\xad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")
_LINE_ENDS = re.compile("\r\n?|[\u2028\u2029]")
_SPACES = (" ", "\t", "\u3000")
_ENDINGS = tuple(f"{space}\n" for space in _SPACES)
# From the first space of a run on, and without going back: a run of n spaces takes n steps and not n squared.
_TRAILING = re.compile(r"(?<![ \t\u3000])[ \t\u3000]++(?=\n|$)")
_MANY_BLANK = re.compile(r"\n{3,}")


def remove_invisible(text: str) -> str:
    """One kind of line end, nothing that cannot be seen.

    >>> remove_invisible("点検\\u200b手順\\r\\n")
    '点検手順\\n'
    """
    return _INVISIBLE.sub("", _LINE_ENDS.sub("\n", text))


def tidy_space(text: str) -> str:
    """No space at line ends, at most one blank line in a row, none around the document.

    >>> tidy_space("点検  \\n\\n\\n\\n手順\\n")
    '点検\\n\\n手順'
    """
    # Finding two characters is twenty times as fast as the patterns, which most documents do not need.
    if text.endswith(_SPACES) or any(ending in text for ending in _ENDINGS):
        text = _TRAILING.sub("", text)
    if "\n\n\n" in text:
        text = _MANY_BLANK.sub("\n\n", text)
    return text.strip("\n")


@lru_cache(8)
def unsettled(keep: str) -> Flags:
    """Characters below U+10000 before which a text may not be cut to normalise it piece by piece, without those kept.

    A text that has none of them, and none beyond U+FFFF, stays as it is.

    Source: UAX 15, section 9: before a character of combining class 0 whose quick check says Yes nothing changes.
    """
    points = [chr(point) for point in range(0x10000) if not 0xD800 <= point < 0xE000]
    # What may combine with what stands before it: second in some composition, or a vowel or final of Hangul.
    parts = (unicodedata.decomposition(one).split() for one in points)
    follows = {chr(int(part[1], 16)) for part in parts if len(part) == 2 and not part[0].startswith("<")}
    follows |= {chr(point) for point in (*range(0x1161, 0x1176), *range(0x11A8, 0x11C3))}
    table = np.zeros(0x10000, np.bool_)
    for one in points:
        changes = one in follows or unicodedata.combining(one) or not unicodedata.is_normalized("NFKC", one)
        table[ord(one)] = bool(changes) and one not in keep
    return table


@lru_cache(8)
def _unsettled_runs(keep: str) -> re.Pattern[str]:
    """Runs of such characters. All beyond U+FFFF count too: that only makes pieces longer."""
    beyond = [0x10000, *(ord(one) + 1 for one in sorted(keep) if ord(one) > 0xFFFF)]
    ends = [*(one - 2 for one in beyond[1:]), 0x10FFFF]
    astral = "".join(f"{chr(a)}-{chr(b)}" for a, b in zip(beyond, ends, strict=True) if a <= b)
    return re.compile(f"[{''.join(map(re.escape, map(chr, np.flatnonzero(unsettled(keep)))))}{astral}]+")


def nfkc(text: str, keep: str) -> str:
    """Compatibility forms to ordinary ones, but for the characters in `keep`.

    >>> nfkc("ﾎﾟﾝﾌﾟ ＴＰ－１２０ ①", "①")
    'ポンプ TP-120 ①'
    """
    # True for nine documents in ten, and ten times as fast as normalising.
    if unicodedata.is_normalized("NFKC", text):
        return text
    parts, at = [], 0
    for run in _unsettled_runs(keep).finditer(text):
        start = run.start()
        # With the character before it, which may take an accent; but nothing crosses what is kept.
        if start > at and text[start - 1] not in keep:
            start -= 1
        parts += [text[at:start], unicodedata.normalize("NFKC", text[start : run.end()])]
        at = run.end()
    return "".join([*parts, text[at:]])


_COMMA_OR_STOP = re.compile(
    r"(?<![0-9０-９])，|，(?![0-9０-９])|(?<![0-9A-Za-z０-９Ａ-Ｚａ-ｚ])．|．(?![0-9A-Za-z０-９Ａ-Ｚａ-ｚ])"
)


def japanese_punctuation(text: str) -> str:
    """，． to 、。 where they are the document's comma and full stop; numbers and names keep theirs.

    Source: the condition, that they outnumber 、。, is Swallow Corpus v1's (arXiv:2404.17733).

    >>> japanese_punctuation("測定値は１．５である．次に，ＴＰの弁を閉じる．")
    '測定値は１．５である。次に、ＴＰの弁を閉じる。'
    """
    if text.count("，") + text.count("．") <= text.count("、") + text.count("。"):
        return text
    return _COMMA_OR_STOP.sub(lambda mark: "、" if mark[0] == "，" else "。", text)
