"""Japanese phone numbers, with and without separators, and their international form."""

from __future__ import annotations

import re

PLACEHOLDER = "<phone>"

# Hyphens people type in numbers: ASCII, hyphen, figure and en dash, minus, katakana long mark, full-width.
_HYPHEN = r"[-‐‑‒–—−ーｰ－]"
_DIGIT = r"[0-9０-９]"
_ZERO = r"[0０]"
_OPEN, _CLOSE = r"[(（]", r"[)）]"
_GAP = rf"(?:{_HYPHEN}|[ \u3000])"

# A pattern that begins with a set of characters is found twenty times as fast as one that begins by looking back, so
# every number's first character comes first, and what may stand before it is looked at from behind it.
_FIRST = r"[+＋(（0０]"
# Not inside a longer number or part number: TP-200-0315-08, 2024-0312-3344-5566. TEL and FAX may touch the number;
# NFKC makes TEL of ℡.
_GLUED = "|".join(rf"(?<={word}{_FIRST})" for word in ("TEL", "Tel", "tel", "FAX", "Fax", "fax", "ＴＥＬ", "ＦＡＸ"))
_LETTER = r"[0-9０-９A-Za-zＡ-Ｚａ-ｚ]"
_FREE_STANDING = (
    rf"(?<![0-9０-９A-Za-zＡ-Ｚａ-ｚ+＋]{_FIRST})(?<!{_LETTER}{_HYPHEN}{_FIRST})(?<![0-9０-９][.．]{_FIRST})"
)
_AFTER = rf"(?!{_DIGIT})(?!{_HYPHEN}{_DIGIT})"
_PLUS, _OPENED, _ZEROED = r"(?<=[+＋])", r"(?<=[(（])", r"(?<=[0０])"

_NUMBER = re.compile(
    rf"{_FIRST}(?:{_GLUED}|{_FREE_STANDING})(?:"
    + "|".join(
        (
            rf"{_PLUS}[8８][1１]{_GAP}?{_OPEN}?{_ZERO}?{_CLOSE}?{_GAP}?{_DIGIT}{{1,4}}{_GAP}?{_DIGIT}{{1,4}}{_GAP}?{_DIGIT}{{3,4}}",
            rf"{_OPENED}{_ZERO}{_DIGIT}{{1,4}}{_CLOSE}{_GAP}?{_DIGIT}{{1,4}}{_GAP}?{_DIGIT}{{3,4}}",
            rf"{_ZEROED}{_DIGIT}{{1,4}}{_OPEN}{_DIGIT}{{1,4}}{_CLOSE}{_GAP}?{_DIGIT}{{3,4}}",
            rf"{_ZEROED}{_DIGIT}{{1,4}}{_GAP}{_DIGIT}{{1,4}}{_GAP}{_DIGIT}{{3,4}}",
            rf"{_ZEROED}{_DIGIT}{{9,10}}",
        )
    )
    + ")"
    + _AFTER
)

_MOBILE = re.compile(r"0[5-9]0|0800")
_FREE = re.compile(r"0120|0570|0990")
# A bare run of ten digits that begins with 0 may be anything; a word before it decides.
_ANNOUNCED = re.compile(r"(?:TEL|Tel|tel|FAX|Fax|fax|℡|電話|携帯|内線|ファクス|ファックス|番号)[^0-9０-９\n]{0,6}$")
_ANNOUNCED_WITHIN = 11
"""Characters before a number that can hold the longest word and the gap after it."""
_TO_ASCII = str.maketrans("０１２３４５６７８９", "0123456789")


def mask_phones(text: str) -> tuple[str, int]:
    """The text with every number replaced, and how many there were.

    >>> mask_phones("電話（０３）００００－１２３４、型番TP-200-0315-08")
    ('電話<phone>、型番TP-200-0315-08', 1)
    """
    found = 0

    def replace(match: re.Match[str]) -> str:
        nonlocal found
        if not _is_phone(match):
            return match[0]
        found += 1
        return PLACEHOLDER

    return _NUMBER.sub(replace, text), found


def _is_phone(match: re.Match[str]) -> bool:
    digits = "".join(re.findall(_DIGIT, match[0])).translate(_TO_ASCII)
    if match[0][0] in "+＋":
        return 11 <= len(digits) <= 13
    bare = len(match[0]) == len(digits)
    if _MOBILE.match(digits):
        return len(digits) == 11
    if len(digits) != 10:
        return False
    before = match.string[max(0, match.start() - _ANNOUNCED_WITHIN) : match.start()]
    return not bare or bool(_FREE.match(digits)) or bool(_ANNOUNCED.search(before))
