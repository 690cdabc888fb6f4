"""What a kind of personal data is to the search: how a place of it is noticed, and how it is found there."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

Finder = Callable[[str], Iterator[tuple[int, int]]]
"""Where in a window it stands. Windows are folded: full-width letters, digits and signs are ASCII, hyphens are `-`."""


@dataclass(frozen=True)
class Kind:
    """A kind of personal data; `find` is only called where a shape or a word was seen."""

    name: str
    find: Finder
    shapes: int = 0
    words: tuple[str, ...] = ()
    after: int = 256
    """Characters behind what was seen that are looked at."""
    everywhere: bool = False
    """Nothing cheap tells where it may be: it is looked for in the whole text."""


# Nothing is joined to a number that stands alone: TP-200-0315, v1.2, 3.14, 12-34.
ALONE_BEFORE = r"(?<![0-9A-Za-z_])(?<![0-9A-Za-z_][-ー.])"
ALONE_AFTER = r"(?![0-9A-Za-z_])(?![-ー.][0-9A-Za-z])"

GAP = r"[ \t:=/#|・、はがの「『【\[({)\]】」』]*(?:(?:No|NO|no|№)\.?|番号)?[ \t:=#、はが「『(]*"
"""What stands between the word that announces a number and the number."""

# Numbers of things; the last of the words before a number says what it is.
_OF_THINGS = re.compile(
    r"(?:伝票|追跡|問い?合わ?せ|注文|受注|発注|品番|型番|型式|図番|部品|製品|製造|シリアル|S/N|SN|JAN|EAN|ISBN|ISSN|ロット|LOT|Lot"
    r"|管理|会員|契約|整理|資産|法人|登録|受付|受理|申込|予約|照会|整理|商品|荷物|送り状|貨物|伝送|コード|バーコード|約|計|合計|金額|売上|総数|乱数|ハッシュ"
    r"|¥|\\|\$|￥)(?:番号|No\.?|NO\.?|ID|コード)?[^0-9\n。]{0,4}$"
)
_UNITS = re.compile(r"[ ]?(?:円|個|件|台|枚|本|人|名|回|秒|ミリ秒|バイト|ドル|kg|km|mm|bytes|ms)")
_LOOKED_BACK = 24


def is_of_a_thing(text: str, start: int, end: int) -> bool:
    """Whether the words around a number say that it is an order's, a part's, an amount.

    >>> is_of_a_thing("お問い合わせ番号 123456789018", 9, 21)
    True
    """
    return bool(_OF_THINGS.search(text[max(0, start - _LOOKED_BACK) : start]) or _UNITS.match(text, end))


def digits_of(text: str) -> str:
    """The digits of a folded number.

    >>> digits_of("1234-5678")
    '12345678'
    """
    return re.sub(r"[^0-9]", "", text)


def luhn(digits: str) -> bool:
    """Whether the last digit is the check digit of the others (ISO/IEC 7812-1, annex B).

    >>> luhn("4111111111111111"), luhn("4111111111111112")
    (True, False)
    """
    total = 0
    for at, digit in enumerate(reversed(digits)):
        value = int(digit) << (at & 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0
