"""Numbers on the papers that people show: driver's licence, passport, health insurance."""

from __future__ import annotations

import re
from collections.abc import Iterator

from corpus.kernels.numbers import LONG_NUMBER
from corpus.mask.kind import ALONE_AFTER, GAP, Kind, digits_of, luhn

_LOOKED_BACK = 32

# The commission that gave the first licence. The eleventh digit is said to be a check digit, but no office publishes
# how it is made: a word and the commission decide.
_COMMISSION = "00|1[0-4]|2[0-5]|30|4[0-9]|5[0-5]|6[0-5]|7[0-4]|8[0-3]|9[0-7]"
_LICENCE = re.compile(
    rf"(?<![0-9A-Za-z-])(?:{_COMMISSION})(?:[0-9]{{10}}|[0-9]{{2}}([- ])[0-9]{{4}}\1[0-9]{{4}}){ALONE_AFTER}"
)
_DRIVES = re.compile(r"(?:免許|driver'?s? licen[cs]e)[^0-9\n。]{0,20}$", re.I)


def find_driving_licences(text: str) -> Iterator[tuple[int, int]]:
    """Where twelve digits stand that begin with a commission and that a word announces.

    >>> list(find_driving_licences("運転免許証の番号は309012345620です。"))
    [(9, 21)]
    """
    for match in _LICENCE.finditer(text):
        if _DRIVES.search(text[max(0, match.start() - _LOOKED_BACK) : match.start()]):
            yield match.span()


_PASSPORT = re.compile(r"(?<![0-9A-Za-z-])[A-Z]{2} ?[0-9]{7}(?![0-9A-Za-z])")
_TRAVELS = re.compile(r"(?:旅券|パスポ[ー-]ト|passport)[^0-9\n。]{0,20}$", re.I)


def find_passports(text: str) -> Iterator[tuple[int, int]]:
    """Where two letters and seven digits stand that a word announces.

    >>> list(find_passports("旅券番号 TK1234567"))
    [(5, 14)]
    """
    for match in _PASSPORT.finditer(text):
        if _TRAVELS.search(text[max(0, match.start() - _LOOKED_BACK) : match.start()]):
            yield match.span()


_SYMBOL = r"[0-9]{1,8}(?:-[0-9]{1,4})?"
_INSURER = re.compile(
    rf"(?<!被)保険者(?:番号)?{GAP}((?:[0-9]{{2}})?[0-9]{{6}}){ALONE_AFTER}"
    rf"(?:[ ]*[、,・/]?[ ]*記号{GAP}({_SYMBOL})(?:[ ]*[・、,/]?[ ]*(?:の)?番号{GAP}({_SYMBOL}))?{ALONE_AFTER})?"
)
_INSURED = re.compile(
    rf"(?:被保険者(?:証|等)?|保険証|組合員証|加入者証)の?(?:[ ]*(?:の)?[ ]*記号[・と]?)?(?:番号)?"
    rf"{GAP}(?:記号{GAP})?({_SYMBOL})"
    rf"(?:[ ]*[・、,/]?[ ]*(?:の)?番号{GAP}({_SYMBOL}))?{ALONE_AFTER}"
)


def find_health_insurance(text: str) -> Iterator[tuple[int, int]]:
    """Where numbers of insurers, whose check digit is right, and of the insured stand.

    Source: the check digit of insurers is modulus 10 with weights 2 and 1, digits of products added (厚生労働省,
    保険者番号等の設定要領), which is Luhn's.

    >>> list(find_health_insurance("保険者番号 01130012、被保険者証の記号 123 番号 4567"))
    [(6, 14), (24, 27), (31, 35)]
    """
    for match in _INSURER.finditer(text):
        if luhn(digits_of(match[1])):
            yield match.span(1)
        yield from (match.span(group) for group in (2, 3) if match[group])
    for match in _INSURED.finditer(text):
        for group in (1, 2):
            if match[group]:
                yield match.span(group)


DRIVING_LICENCE = Kind("driving_licence", find_driving_licences, shapes=LONG_NUMBER)
PASSPORT = Kind("passport", find_passports, shapes=LONG_NUMBER)
HEALTH_INSURANCE = Kind("health_insurance", find_health_insurance, words=("保険者", "保険証", "組合員証", "加入者証"))
