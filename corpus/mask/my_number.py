"""My Number, the individual number of every resident of Japan."""

from __future__ import annotations

import re
from collections.abc import Iterator

from corpus.kernels.numbers import LONG_NUMBER
from corpus.mask.kind import ALONE_AFTER, ALONE_BEFORE, Kind, digits_of, is_of_a_thing

_TWELVE = re.compile(ALONE_BEFORE + r"[0-9]{4}([- ]?)[0-9]{4}\1[0-9]{4}" + ALONE_AFTER)
_ANNOUNCED = re.compile(r"(?:マイナンバ[ー-]|個人番号|My ?Number|my ?number)[^0-9\n。]{0,12}$")
_OF_A_LICENCE = re.compile(r"免許[^0-9\n。]{0,16}$")
# Columns of a table: 4584 1316 5900 301.
_MORE_BEFORE, _MORE_AFTER = re.compile(r"[0-9][ \t]{1,3}$"), re.compile(r"[ \t]{1,3}[0-9]")
_LOOKED_BACK = 32


def find_my_numbers(text: str) -> Iterator[tuple[int, int]]:
    """Where numbers with a right check digit stand, unless the word before says that they are something else's.

    >>> list(find_my_numbers("個人番号は123456789018です。伝票番号 1234-5678-9018"))
    [(5, 17)]
    """
    for match in _TWELVE.finditer(text):
        start, end = match.span()
        if not has_check_digit(digits_of(match[0])):
            continue
        before = text[max(0, start - _LOOKED_BACK) : start]
        in_a_row = match[1] == " " and (_MORE_BEFORE.search(before) or _MORE_AFTER.match(text, end))
        other = in_a_row or is_of_a_thing(text, start, end) or _OF_A_LICENCE.search(before)
        if _ANNOUNCED.search(before) or not other:
            yield start, end


def has_check_digit(digits: str) -> bool:
    """Whether the twelfth digit is the check digit of the others.

    Source: 総務省令第85号 (2014), article 5: 11 minus the remainder by 11 of the sum of P_n Q_n, where P_n is the n-th
    digit from the right and Q_n is n + 1 up to the sixth and n - 5 from there on; 0 where the remainder is 0 or 1.

    >>> has_check_digit("123456789018"), has_check_digit("123456789017")
    (True, False)
    """
    return int(digits[11]) == check_digit(digits[:11])


def check_digit(eleven: str) -> int:
    """The digit that follows eleven others."""
    total = sum(int(digit) * (n + 1 if n <= 6 else n - 5) for n, digit in enumerate(reversed(eleven), start=1))
    remainder = total % 11
    return 0 if remainder <= 1 else 11 - remainder


MY_NUMBER = Kind("my_number", find_my_numbers, shapes=LONG_NUMBER)
