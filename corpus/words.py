"""Words of a list in Japanese text, found by Aho-Corasick and kept only where they are words.

A list of bare strings hits manuals by the thousand: アス in エイリアス, SM in SMTP, 893 in a price, 部落 in 全部落とす.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from configs.errors import UserError

WORDS = Path(__file__).resolve().parents[1] / "configs/words"

_KATAKANA = re.compile("[ァ-ヺー-ヿｦ-ﾟ]")
_ALPHANUMERIC = re.compile("[0-9A-Za-zÀ-ɏ０-９Ａ-Ｚａ-ｚ]")
_NUMBER = re.compile("[0-9０-９]+")
# A number goes on over these, and what stands before or behind makes of digits a number and no word.
_BEFORE_NUMBER = re.compile(r"(?:[0-9０-９][,，.．:：/／\-－]|[0-9０-９A-Za-z]|[第約¥￥$＄#＃№]|[Nn][Oo]\.? ?)$")
_AFTER_NUMBER = re.compile(
    "[,，.．:：/／\\-－]?[0-9０-９]|[A-Za-zａ-ｚＡ-Ｚ%％℃°㎜㎏㎡]|"
    "[円年月日時分秒人名個件回台本枚冊部万億千百兆番号頁度級階丁条項ヶか点倍歩町村市品行章版社戸軒杯匹種字語]|ページ|ドル|ユーロ|メートル|キロ|グラム|カ所|ヵ"
)
_WINDOW = 30
"""Characters on either side that the morphemes around a word are looked up in."""


class WordList:
    """Some words; built once, used for any number of texts."""

    def __init__(self, words: Sequence[str]) -> None:
        """Words as they are written; upper and lower case of Latin letters are one."""
        from ahocorasick_rs import AhoCorasick

        self._words = [word.lower() for word in dict.fromkeys(words)]
        self._find = AhoCorasick(self._words)

    def hits(self, text: str) -> list[str]:
        """The words that stand in a text, one for every time; of words that overlap the first and longest.

        >>> WordList(["アス", "SM", "893", "部落"]).hits("アスのSMTPは1,893円。エイリアスは全部落とした。")
        ['アス']
        """
        lower = text.lower()
        lower = lower if len(lower) == len(text) else text
        found = self._find.find_matches_as_indexes(lower, overlapping=True)
        hits, free = [], 0
        for _, start, end in sorted(found, key=lambda hit: (hit[1], -hit[2])):
            if start >= free and _is_word(lower, start, end):
                hits.append(lower[start:end])
                free = end
        return hits


def _is_word(text: str, start: int, end: int) -> bool:
    if _NUMBER.fullmatch(text, start, end):
        return not (_BEFORE_NUMBER.search(text[max(start - 5, 0) : start]) or _AFTER_NUMBER.match(text, end))
    for kind in (_KATAKANA, _ALPHANUMERIC):
        for inside, outside in ((start, start - 1), (end - 1, end)):
            if 0 <= outside < len(text) and kind.match(text, inside) and kind.match(text, outside):
                return False
    plain = all(_KATAKANA.match(one) or _ALPHANUMERIC.match(one) for one in text[start:end])
    return plain or _at_morphemes(text, start, end)


def _at_morphemes(text: str, start: int, end: int) -> bool:
    """Whether a morpheme begins where the word does, and one ends where it ends."""
    begin = max(start - _WINDOW, 0)
    bounds, at = {0}, 0
    window = text[begin : end + _WINDOW].replace("\n", " ")
    for morpheme in _tagger()(window):
        at += len(morpheme.white_space)
        bounds.add(at)
        at += len(morpheme.surface)
        bounds.add(at)
    return start - begin in bounds and end - begin in bounds


@lru_cache(maxsize=1)
def _tagger() -> Any:
    # Loading the dictionary takes longer than a hundred documents.
    from fugashi import Tagger

    return Tagger("-Owakati")


@lru_cache(maxsize=16)
def load_words(path: str) -> tuple[str, ...]:
    """The words of a file, one a line; # begins a remark. A bare name is a list in configs/words.

    Raises:
        UserError: if there is no such file, or no word in it.
    """
    file = Path(path) if Path(path).suffix else WORDS / f"{path}.txt"
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        known = ", ".join(sorted(one.stem for one in WORDS.glob("*.txt")))
        raise UserError(f"corpus lists: no file {path!r}; shipped are {known}") from None
    except UnicodeDecodeError as error:
        raise UserError(f"corpus lists: {path}: not UTF-8 at byte {error.start}") from None
    words = tuple(word for line in lines if (word := line.partition("#")[0].strip()))
    if not words:
        raise UserError(f"corpus lists: {path}: no words in it")
    return words
