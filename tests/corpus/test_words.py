"""Words hit where they are words: not inside other words, nor inside numbers."""

from __future__ import annotations

from pathlib import Path

import pytest

from configs.errors import UserError
from corpus.words import WORDS, WordList, load_words

LIST = WordList(
    [
        "アス",
        "リアス",
        "スケ",
        "ケール",
        "グレ",
        "SM",
        "SMT",
        "893",
        "部落",
        "馬鹿",
        "まぬけ",
        "カウント",
        "出会い系",
        "ブツ",
    ]
)


@pytest.mark.parametrize(
    "text",
    [
        "エイリアスを設定する。",
        "グレースケールで印刷する。",
        "SMTPサーバーと smtp.example.com、XSMT2。",
        "価格は1,893円、部品番号は38934、型番はTP-893A。",
        "第893号、893件、1989.893、893ページ、12:893、893mm、約893、No.893、893-0001。",
        "アカウントとタブストップ、サブツリーのサブツー。",
        "ｱｽﾍﾟｸﾄとスケジュール、ヱリアスー。",
        "全部落とした。",
        "",
    ],
)
def test_inside_other_words_and_numbers_nothing_hits(text: str) -> None:
    assert LIST.hits(text) == []


@pytest.mark.parametrize(
    ("text", "hits"),
    [
        pytest.param("アス、リアス。", ["アス", "リアス"], id="katakana alone"),
        pytest.param("あのアスは", ["アス"], id="katakana beside hiragana"),
        pytest.param("SMとsm、(Sm)", ["sm", "sm", "sm"], id="Latin in any case"),
        pytest.param("893の人と893が来た。", ["893", "893"], id="a number that is a word"),
        pytest.param("部落の集会。馬鹿を言う。", ["部落", "馬鹿"], id="kanji at morphemes"),
        pytest.param("出会い系サイト", ["出会い系"], id="several morphemes"),
        pytest.param("馬\n鹿 馬鹿", ["馬鹿"], id="not over a line"),
    ],
)
def test_a_word_that_stands_alone_hits_every_time(text: str, hits: list[str]) -> None:
    assert LIST.hits(text) == hits


def test_of_words_that_overlap_the_first_and_longest_counts_once() -> None:
    assert WordList(["カジノ", "カジノ 店", "店"]).hits("カジノ 店 店") == ["カジノ 店", "店"]


def test_the_shipped_list_is_small_and_hits_none_of_the_known_false_ones() -> None:
    words = load_words("mild")
    assert 10 < len(words) < 50
    text = "エイリアスのSMTPでグレースケールの893個をインポートし、エンコーディングを挿入。エロージョン、バカンス。"
    assert WordList(words).hits(text) == []


def test_every_shipped_word_hits_where_it_stands_alone() -> None:
    words = load_words("mild")
    assert [word for word in words if WordList(words).hits(f"「{word}」と。") != [word.lower()]] == []


def test_a_list_that_is_not_there_or_empty_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no file 'none'; shipped are mild"):
        load_words("none")
    empty, other = tmp_path / "empty.txt", tmp_path / "sjis.txt"
    empty.write_text("# nothing\n\n")
    other.write_bytes("馬鹿".encode("cp932"))
    for path, complaint in ((empty, "no words in it"), (other, "not UTF-8 at byte 0")):
        with pytest.raises(UserError, match=complaint):
            load_words(str(path))
    assert WORDS.is_dir()
