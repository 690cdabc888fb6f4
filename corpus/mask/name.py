"""Names of people: what the dictionary calls one, where the words around it agree."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from corpus.mask.kind import Kind

_HONORIFICS = "様|さま|さん|氏|君|くん|ちゃん|殿|先生"
_TITLES = (
    "代表取締役|取締役|執行役員|社長|会長|専務|常務|工場長|支店長|部長|次長|課長|係長|主任|室長|所長|店長|班長|主査|主事|参事|事務局長|委員長"
    "|弁護士|准教授|教授|博士|医師|監督|選手|容疑者|被告|議員|秘書|マネージャー|リーダー|夫妻"
)
_CALLED = re.compile(rf"[ ]?(?:{_HONORIFICS}|{_TITLES})|(?:と|で)(?:申し|ござい|名乗)")
_LABELS = (
    "ご?担当者?|氏名|お?名前|記入者?|作成者?|責任者|申請者|承認者?|発信者|差出人|宛名|代表者|(?:代表)?取締役(?:社長)?|受付者?|出席者?|参加者"
    "|連絡先|窓口|名義人?|契約者|患者名?|起案者?|報告者?|検査者|検印|講師|幹事|司会|議長|書記|欠席者?|署名|被保険者|本人|保護者|配偶者|筆者|著者"
    "|立会者?|作業者|点検者|確認者?|From|To|Cc"
)
_LABELLED = re.compile(
    rf"(?:{_LABELS})(?:[ ]*[:=/|][ ]*|は|の|[ ]+)$|(?:{_LABELS})(?:[ ]*[:=/|][ ]*|は|[ ]+)[^\n。:]{{1,16}}[、,・/][ ]*$"
)
_ROMAN = re.compile(r"(?<![A-Za-z])(?:Mr|Ms|Mrs|Dr|Prof)\. ?([A-Z][a-z]+(?: [A-Z][a-z]+)?)")
_KATAKANA = re.compile(
    r"(?<![ァ-ヶー・])[ァ-ヶー]{2,12}(?:[・=][ァ-ヶー]{1,12}){0,3}(?=[ ]?(?:様|さま|さん|氏|君|くん|殿|先生))"
)
# Titles run into given names: 健一部長 would be read as 健 一部 長.
_RUN_IN = re.compile(rf"(?<=[一-龥々])(?:{_TITLES})")

# Nouns that are surnames too, where an honorific or a given name follows; and given names that are nouns.
_NOUN_SURNAMES = frozenset(
    "林森原関南東西北星谷岸堀泉岡島辻沢畑橘桂柏楠榊菅堤浜平金今高牧館城秦石松竹菊桑柳宮",
) | {"本間", "大島", "中島", "小島"}
_NOUN_GIVEN = frozenset("愛恵誠隆修亮薫光望希翼学実茂豊進勝昇明勇剛桜楓葵蓮翔優樹健武稔弘") | {
    *("大樹", "陽子", "まこと", "ひろし", "かおり", "さくら", "めぐみ", "みどり", "ひかり"),
}
# 王様 is a king. The dictionary has people for these too.
_NEVER = frozenset("王神仏姫皆客奥娘嫁殿君父母兄姉弟妹") | {"お客"}


@dataclass(frozen=True)
class _Word:
    text: str
    start: int
    end: int
    part: str
    """surname, given, person, place, noun or other."""


@lru_cache(1)
def _tagger() -> Any:
    from fugashi import Tagger

    return Tagger()


def find_names(text: str) -> Iterator[tuple[int, int]]:
    """Where names of people stand, without their honorifics.

    >>> list(find_names("担当の佐藤花子さんに渡す。宮崎産の野菜。"))
    [(3, 7)]
    """
    yield from (match.span(1) for match in _ROMAN.finditer(text))
    yield from (match.span() for match in _KATAKANA.finditer(text))
    at = 0
    for line in text.split("\n"):
        yield from ((start + at, end + at) for start, end in _in_line(line))
        at += len(line) + 1


def _in_line(line: str) -> Iterator[tuple[int, int]]:
    words = _words(_RUN_IN.sub(lambda title: "、" * len(title[0]), line))
    at = 0
    while at < len(words):
        until = _end_of_name(line, words, at)
        if until > at:
            yield words[at].start, words[until - 1].end
        at = max(until, at + 1)


def _words(line: str) -> list[_Word]:
    words = []
    at = 0
    for node in _tagger()(line):
        start = line.index(node.surface, at)
        at = start + len(node.surface)
        words.append(_Word(node.surface, start, at, _part(node.feature_raw.split(",", 4))))
    return words


def _part(feature: list[str]) -> str:
    """What a word may be of a name, by UniDic's parts of speech."""
    if feature[1] == "固有名詞":
        if feature[2] == "人名":
            return {"姓": "surname", "名": "given"}.get(feature[3], "person")
        return "place" if feature[2] == "地名" else "other"
    return "noun" if feature[0] in ("名詞", "接尾辞", "接頭辞") else "other"


def _end_of_name(line: str, words: list[_Word], at: int) -> int:
    """The word after the name that begins with word `at`; `at` where none does."""
    first = words[at]
    may_be_surname = first.part in ("surname", "place") or first.text in _NOUN_SURNAMES
    if first.text in _NEVER or (not may_be_surname and first.part not in ("given", "person")):
        return at
    until = at + 1
    if may_be_surname and until < len(words) and words[until].start - first.end <= 1 and _may_be_given(words[until]):
        until += 1
        whole = until - at == 2 and (first.part == "surname" or words[at + 1].part == "given")
        if whole or _is_pointed_at(line, first.start, words[until - 1].end):
            return until
        until = at + 1
    if first.part == "place" and len(first.text) > 3:
        return at
    return until if _is_pointed_at(line, first.start, first.end) else at


def _may_be_given(word: _Word) -> bool:
    return word.part in ("given", "person") or word.text in _NOUN_GIVEN


def _is_pointed_at(line: str, start: int, end: int) -> bool:
    """Whether an honorific or a title follows, or a word such as 担当: stands before."""
    return bool(_CALLED.match(line, end) or _LABELLED.search(line[max(0, start - 28) : start]))


NAME = Kind("name", find_names, everywhere=True)
