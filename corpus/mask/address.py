"""Japanese addresses down to the house number."""

from __future__ import annotations

import re
from collections.abc import Iterator

from corpus.kernels.numbers import HYPHENATED
from corpus.mask.kind import Kind

PREFECTURE = (
    "北海道|東京都|京都府|大阪府|(?:青森|岩手|宮城|秋田|山形|福島|茨城|栃木|群馬|埼玉|千葉|神奈川|新潟|富山|石川|福井|山梨|長野|岐阜"
    "|静岡|愛知|三重|滋賀|兵庫|奈良|和歌山|鳥取|島根|岡山|広島|山口|徳島|香川|愛媛|高知|福岡|佐賀|長崎|熊本|大分|宮崎|鹿児島|沖縄)県"
)
# Municipalities whose names are not all kanji.
_WITH_KANA = (
    "さいたま|つくばみらい|つくば|いわき|あきる野|かすみがうら|ひたちなか|ふじみ野|みどり|さくら|みよし|あま|いなべ|たつの|うるま|むつ"
    "|つがる|にかほ|いすみ|あわら|うきは|みやま|えびの|いちき串木野|南アルプス|にしとうきょう|みなかみ|せたな|ニセコ|おいらせ|つるぎ"
    "|まんのう|ときがわ|東かがわ|東みよし|さぬき|かほく"
)
_KANJI = r"[一-龥々ヶケノ]"
_CITY = rf"(?:(?:{_WITH_KANA})|{_KANJI}{{1,6}}?)[市区郡町村]"
_TOWN = r"[一-龥々ぁ-んァ-ヶー]{1,14}?"

_N = r"(?:[0-9]{1,4}|[一二三四五六七八九十]{1,4})"
_BLOCK = (
    rf"(?:{_N}丁目(?: ?{_N}(?:番地?の?|[-ーの])(?: ?{_N}(?:号(?!室|機|館|棟|線)|-[0-9]{{1,4}})?)?"
    r"| ?[0-9]{1,4}(?![0-9]|[^-ーの番、。 \n)]))?"
    rf"|[0-9]{{1,5}}番地(?:[のー-]?[0-9]{{1,4}}(?:号(?!室|機))?)?"
    rf"|[0-9]{{1,4}}番(?:[0-9]{{1,4}}号?(?!室|機)|(?=[、。 \n)]|$))"
    rf"|[0-9]{{1,5}}[-ー][0-9]{{1,4}}(?:[-ー][0-9]{{1,4}}){{0,2}})"
    r"(?![0-9]|[-ー.:/][0-9])"
)
# Words that stand before an address without a mark between them.
_LEAD = (
    "(?:本社|支社|支店|本店|工場|倉庫|住所|所在地|現住所|新住所|旧住所|自宅|実家|勤務先|弊社|当社"
    "|届け先|届先|送付先|発送先|宛先|会場|勤務地|本籍|転居先|連絡先)"
)
_ADDRESS = re.compile(
    rf"(?:(?:{PREFECTURE})[ ]?(?:{_CITY}[ ]?){{0,3}}(?:{_TOWN})?"
    rf"|(?<![一-龥々]){_CITY}(?:{_CITY}){{0,2}}{_TOWN}"
    rf")[ ]?{_BLOCK}"
)
# The pattern tries much at every kanji; this tells cheaply where there is nothing to try.
_PLACED = re.compile(r"[市区郡町村都道府県][^0-9\n]{0,20}[0-9一二三四五六七八九十]")
_LEADING = re.compile(rf"{_LEAD}+")
# A score, a floor of a shop, an event: 市立第一高校3-2で勝利.
_NO_HOUSE = re.compile(
    r"[ ]?(?:で(?:勝|敗|競り|下|破|引)"
    r"|の(?:勝|敗|ス|逆)|と(?:勝|敗|リ-ド)|として|に分|個|台|円|年|月|号線|号機|類|回|巻|条|項|級|%|点)"
)


def find_addresses(text: str) -> Iterator[tuple[int, int]]:
    """Where addresses stand, from the prefecture or the municipality to the house number.

    >>> list(find_addresses("住所は東京都港区芝公園4-2-8です。横浜市の人口は377万人。"))
    [(3, 16)]
    """
    if not _PLACED.search(text):
        return
    for match in _ADDRESS.finditer(text):
        start, end = match.span()
        lead = _LEADING.match(text, start, end)
        if lead:
            start = lead.end()
        if not _NO_HOUSE.match(text, end):
            yield start, end


ADDRESS = Kind(
    "address",
    find_addresses,
    shapes=HYPHENATED,
    words=("丁目", "番地", *(f"{digit}番" for digit in "0123456789０１２３４５６７８９")),
)
