"""Japanese phone numbers, with and without separators, and their international form."""

from __future__ import annotations

import re
from collections.abc import Iterator

from corpus.kernels.numbers import LONG_NUMBER
from corpus.mask.kind import Kind, digits_of, is_of_a_thing

# People also type the katakana long mark for a hyphen.
_HYPHEN = r"[-ーｰ]"
_GAP = rf"(?:{_HYPHEN}|[ ])"

# A pattern that begins with a set of characters is found twenty times as fast as one that begins by looking back, so
# every number's first character comes first, and what may stand before it is looked at from behind it.
_FIRST = r"[+(0]"
# Not inside a longer number or part number: TP-200-0315-08, 2024-0312-3344-5566. TEL and FAX may touch the number;
# NFKC makes TEL of ℡.
_GLUED = "|".join(rf"(?<={word}{_FIRST})" for word in ("TEL", "Tel", "tel", "FAX", "Fax", "fax"))
_FREE_STANDING = rf"(?<![0-9A-Za-z+]{_FIRST})(?<![0-9A-Za-z]{_HYPHEN}{_FIRST})(?<![0-9][.]{_FIRST})"
_AFTER = rf"(?![0-9])(?!{_HYPHEN}[0-9])"
_PLUS, _OPENED, _ZEROED = r"(?<=[+])", r"(?<=[(])", r"(?<=0)"

_NUMBER = re.compile(
    rf"{_FIRST}(?:{_GLUED}|{_FREE_STANDING})(?:"
    + "|".join(
        (
            rf"{_PLUS}81{_GAP}?\(?0?\)?{_GAP}?[0-9]{{1,4}}{_GAP}?[0-9]{{1,4}}{_GAP}?[0-9]{{3,4}}",
            rf"{_OPENED}0[0-9]{{1,4}}\){_GAP}?[0-9]{{1,4}}{_GAP}?[0-9]{{3,4}}",
            rf"{_ZEROED}[0-9]{{1,4}}\([0-9]{{1,4}}\){_GAP}?[0-9]{{3,4}}",
            rf"{_ZEROED}[0-9]{{1,4}}{_GAP}[0-9]{{1,4}}{_GAP}[0-9]{{3,4}}",
            rf"{_ZEROED}[0-9]{{9,10}}",
        )
    )
    + ")"
    + _AFTER
)

_MOBILE = re.compile(r"0[5-9]0|0800")
_TWO_DIGIT_AREA = re.compile(r"\(?0[36][^0-9]")
_FREE = re.compile(r"0120|0570|0990")
# A bare run of ten digits that begins with 0 may be anything; a word before it decides.
_ANNOUNCED = re.compile(
    r"(?:TEL|Tel|tel|FAX|Fax|fax|℡|電話|携帯|内線|連絡先|ファクス|ファックス|(?<![一-龥])番号)[^0-9\n]{0,6}$"
)
_ANNOUNCED_WITHIN = 11
"""Characters before a number that can hold the longest word and the gap after it."""


def find_phones(text: str) -> Iterator[tuple[int, int]]:
    """Where phone numbers stand.

    >>> list(find_phones("電話(03)0000-1234、型番TP-200-0315-08"))
    [(2, 15)]
    """
    return (match.span() for match in _NUMBER.finditer(text) if _is_phone(match))


def _is_phone(match: re.Match[str]) -> bool:
    digits = digits_of(match[0])
    if match[0][0] == "+":
        return 11 <= len(digits) <= 13
    if digits.startswith("00"):  # 001 and the like begin an international call, and no area
        return False
    bare = len(match[0]) == len(digits)
    if _MOBILE.match(digits) and not _TWO_DIGIT_AREA.match(match[0]):
        return len(digits) == 11
    if len(digits) != 10:
        return False
    before = match.string[max(0, match.start() - _ANNOUNCED_WITHIN) : match.start()]
    if not bare or _FREE.match(digits):
        return True
    return bool(_ANNOUNCED.search(before)) and not is_of_a_thing(match.string, *match.span())


PHONE = Kind("phone", find_phones, shapes=LONG_NUMBER)
