"""Short Chinese, Korean and Russian is not taken for EUC-JP, and Japanese without kana is."""

from __future__ import annotations

import pytest

from corpus.decode import UndecodableError, decode
from corpus.lookalikes import _JAPANESE, has_usual_kanji, reads_otherwise


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("操作系统安装手册", "gb18030"),
        ("安全设置", "gb18030"),
        ("打印机的使用方法", "gb18030"),
        ("Perl 的文件", "gb18030"),
        ("설치 안내서", "euc_kr"),
        ("펌프를 시작하기 전에", "euc_kr"),
        ("문서", "euc_kr"),
        ("GIMP 사용", "euc_kr"),
        ("Дополнительную информацию", "koi8-r"),
        ("Критерии", "koi8-r"),
        ("архитектур: да", "koi8-r"),
    ],
)
def test_a_title_that_is_valid_in_euc_jp_too_is_not_taken_for_japanese(text: str, encoding: str) -> None:
    content = text.encode(encoding)
    assert content.decode("euc_jp") != text
    with pytest.raises(UndecodableError):
        decode(content)


@pytest.mark.parametrize(
    "text",
    [
        *("会議", "議事録", "請求書", "定期点検実施要領", "部品交換手順書", "蓼原精機株式会社", "東京都港区芝公園"),
        *("令和六年度予算案", "佐藤花子様", "弁護士法人", "図1 配管系統図", "渡邊", "TP-200型 仕様書", "漢"),
    ],
)
def test_japanese_without_kana_stays_japanese(text: str) -> None:
    assert decode(text.encode("euc_jp")).text == text


def test_where_there_are_kana_nothing_is_doubted() -> None:
    korean = "설치 안내서".encode("euc_kr")
    assert reads_otherwise(korean, korean.decode("euc_jp"))
    with_kana = korean + "の".encode("euc_jp")
    assert not reads_otherwise(with_kana, with_kana.decode("euc_jp"))


def test_a_page_that_says_euc_jp_is_believed() -> None:
    content = "설치 안내서".encode("euc_kr")
    assert decode(content, "EUC-JP").text == content.decode("euc_jp")


@pytest.mark.parametrize(
    ("content", "russian"),
    [
        pytest.param(bytes([0xC0, 0xE0]) * 4, False, id="half of them small letters"),
        pytest.param(bytes([0xC0, 0xC0, 0xC0, 0xE0]) * 2, True, id="three quarters"),
        pytest.param(bytes([0xC0, 0xC0, 0xC0, 0xE0, 0xC0, 0xC0, 0xC0, 0xBF]), False, id="a byte that is no letter"),
        pytest.param(bytes([0xC0]) * 6, False, id="three kanji"),
    ],
)
def test_letters_of_koi8_are_russian_from_four_kanji_on(content: bytes, russian: bool) -> None:
    # Nothing is likelier than the most usual kanji: only the bytes are looked at.
    assert reads_otherwise(content, "人" * (len(content) // 2)) == russian


PEOPLE = "山口一郎,東京都新宿区西新宿\n森裕子,神奈川県川崎市幸区旭町\n池田智子,大阪府堺市堺区戎島町\n"
CHINESE = "请检查阀门并关闭泵的盖子\n然后再启动\n操作系统安装手册\n打印机的使用方法\n"
KOREAN = "펌프를 시작하기 전에 밸브를 확인하십시오. 설치 안내서를 읽으십시오.\n"


@pytest.mark.parametrize("encoding", ["cp932", "euc_jp", "utf-16-le"])
def test_a_list_of_names_without_kana_is_japanese(encoding: str) -> None:
    assert decode((PEOPLE * 3).encode(encoding)).text == PEOPLE * 3


@pytest.mark.parametrize(("text", "encoding"), [(CHINESE, "gb18030"), (KOREAN, "euc_kr")])
def test_a_list_in_chinese_or_korean_is_not(text: str, encoding: str) -> None:
    (text * 3).encode(encoding).decode("euc_jp")
    with pytest.raises(UndecodableError):
        decode((text * 3).encode(encoding))


@pytest.mark.parametrize(
    ("rank", "usual"), [pytest.param(650, True, id="11.2 bits"), pytest.param(950, False, id="12.1")]
)
def test_usual_kanji_have_at_most_twelve_bits(rank: int, usual: bool) -> None:
    assert has_usual_kanji(_JAPANESE.usual[rank] * 30) == usual
    assert not has_usual_kanji("ABC")
