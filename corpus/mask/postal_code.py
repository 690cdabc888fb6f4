"""Postal codes of Japan."""

from __future__ import annotations

import re
from collections.abc import Iterator

from corpus.kernels.numbers import LONG_NUMBER
from corpus.mask.address import PREFECTURE
from corpus.mask.kind import ALONE_AFTER, GAP, Kind

_CODE = rf"[0-9]{{3}}[-ー]?[0-9]{{4}}{ALONE_AFTER}"
_ANNOUNCED = re.compile(rf"(?:〒|郵便番号{GAP})[ ]?({_CODE})")
_BEFORE_ADDRESS = re.compile(rf"(?<![0-9A-Za-z-])([0-9]{{3}}-[0-9]{{4}})[ \n、,)]{{0,3}}(?:住所[: ]?)?(?:{PREFECTURE})")


def find_postal_codes(text: str) -> Iterator[tuple[int, int]]:
    """Where codes stand behind a mark or a word, or before a prefecture.

    >>> list(find_postal_codes("〒100-0001 図番100-0002"))
    [(1, 9)]
    """
    for pattern in (_ANNOUNCED, _BEFORE_ADDRESS):
        yield from (match.span(1) for match in pattern.finditer(text))


POSTAL_CODE = Kind("postal_code", find_postal_codes, shapes=LONG_NUMBER)
