"""Dates of birth: full dates that the text calls so."""

from __future__ import annotations

import re
from collections.abc import Iterator

from corpus.mask.kind import GAP, Kind

_KANJI = "元〇一二三四五六七八九十"
_ONE_OR_TWO = rf"(?:[0-9]{{1,2}}|[{_KANJI}]{{1,3}})"
_ERA = rf"(?:明治|大正|昭和|平成|令和|[MTSHR])[ .]?{_ONE_OR_TWO}"
_YEAR = rf"(?:{_ERA}|(?:西暦)?(?:1[89]|20)[0-9]{{2}}|[一二][〇一二三四五六七八九]{{3}})"
_DATE = (
    rf"(?<![0-9A-Za-z]){_YEAR}(?:年(?:[(][^()\n]{{2,8}}[)])? ?{_ONE_OR_TWO}月 ?{_ONE_OR_TWO}日"
    r"|[-./][0-9]{1,2}[-./][0-9]{1,2}(?![0-9]))"
)
_DATED = re.compile(r"月|[0-9][-./][0-9]{1,2}[-./]|[0-9]{8}")
_BARE = r"(?<![0-9])(?:1[89]|20)[0-9]{6}(?![0-9])"
_ANNOUNCED = re.compile(
    r"(?:生年月日|誕生日|出生日|お生まれ|生まれ|[Dd]ate of [Bb]irth|DOB|[Bb]irthday|[Bb]orn(?: on)?)"
    rf"{GAP}({_DATE}|{_BARE})"
)
_FOLLOWED = re.compile(
    rf"({_DATE}) ?(?:[(][^()\n]{{1,8}}[)])?"
    r"(?:[のに]?(?:お)?生まれ|に?、?[^。、\n0-9]{0,12}[でに](?:生まれ|誕生し)|生(?=[)、。 \n]|$))"
)


def find_birth_dates(text: str) -> Iterator[tuple[int, int]]:
    """Where full dates stand that a word says to be somebody's birth.

    >>> list(find_birth_dates("生年月日:昭和55年1月2日。1980年3月4日生まれ。2024年5月1日付。"))
    [(5, 14), (15, 24)]
    """
    if not _DATED.search(text):
        return
    for pattern in (_ANNOUNCED, _FOLLOWED):
        for match in pattern.finditer(text):
            yield match.span(1)


BIRTH_DATE = Kind(
    "birth_date",
    find_birth_dates,
    words=(
        "生年月日",
        "誕生",
        "出生日",
        "生まれ",
        "日生",
        *(f"{digit}生" for digit in "0123456789０１２３４５６７８９"),
        "of birth",
        "DOB",
        "birthday",
        "born",
    ),
)
