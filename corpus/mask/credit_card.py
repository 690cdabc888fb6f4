"""Numbers of payment cards."""

from __future__ import annotations

import re
from collections.abc import Iterator

from corpus.kernels.numbers import LONG_NUMBER
from corpus.mask.kind import ALONE_AFTER, ALONE_BEFORE, Kind, digits_of, is_of_a_thing, luhn

_NUMBER = re.compile(
    ALONE_BEFORE
    + r"(?:[0-9]{4}([- ])[0-9]{4}\1[0-9]{4}\1[0-9]{4}(?:\1[0-9]{1,3})?|[0-9]{4}([- ])[0-9]{6}\2[0-9]{4,5}|[0-9]{14,19})"
    + ALONE_AFTER
)
_ANNOUNCED = re.compile(r"(?:カ[ー-]ド(?:番号)?|クレカ|VISA|Visa|Master[Cc]ard|JCB|AMEX|Amex)[^0-9\n。]{0,12}$")
_LOOKED_BACK = 32

# Source: ISO/IEC 7812 as the issuers publish it: first digits, lengths.
_ISSUERS = (
    (re.compile(r"4"), {16, 19}),  # Visa; its thirteen digits are gone, and are the length of JAN codes
    (re.compile(r"5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720"), {16}),  # Mastercard
    (re.compile(r"3[47]"), {15}),  # American Express
    (re.compile(r"30[0-5]|309|36|3[89]"), {14, 16}),  # Diners Club
    (re.compile(r"35(?:2[89]|[3-8])"), {16}),  # JCB
    (re.compile(r"6011|64[4-9]|65"), {16, 19}),  # Discover
    (re.compile(r"62"), {16, 17, 18, 19}),  # UnionPay
)


def find_credit_cards(text: str) -> Iterator[tuple[int, int]]:
    """Where card numbers stand whose check digit is right, unless the word before says that they are a thing's.

    >>> list(find_credit_cards("カード番号は4111-1111-1111-1111、型番4111-1111-1111-1112"))
    [(6, 25)]
    """
    for match in _NUMBER.finditer(text):
        start, end = match.span()
        if is_card_number(digits_of(match[0])) and (
            not is_of_a_thing(text, start, end) or _ANNOUNCED.search(text[max(0, start - _LOOKED_BACK) : start])
        ):
            yield start, end


def is_card_number(digits: str) -> bool:
    """Whether an issuer gives numbers that begin so and are so long, and the check digit is right."""
    return any(first.match(digits) and len(digits) in lengths for first, lengths in _ISSUERS) and luhn(digits)


CREDIT_CARD = Kind("credit_card", find_credit_cards, shapes=LONG_NUMBER)
