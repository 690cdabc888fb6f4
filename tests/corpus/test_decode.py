"""From bytes to text: the same text from every encoding, and no text made up from other bytes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from corpus.decode import Decoded, UndecodableError, decode

REPOSITORY = Path(__file__).parents[2]

TEXT = "点検表に結果を記入し、課長の確認を受ける。\n異常があれば、ポンプを止めて報告すること。\n"

NAMED = {
    **{"utf-8": "utf-8", "utf-8-sig": "utf-8-sig", "utf-16": "utf-16", "cp932": "cp932", "euc_jp": "euc_jp"},
    **{"iso2022_jp": "iso2022_jp_1", "iso2022_jp_1": "iso2022_jp_1", "iso2022_jp_ext": "iso2022_jp_1"},
}


@pytest.mark.parametrize("encoding", NAMED)
def test_the_same_text_is_read_from_every_encoding(encoding: str) -> None:
    decoded = decode(TEXT.encode(encoding))
    assert (decoded.text, decoded.encoding) == (TEXT, NAMED[encoding])


@pytest.mark.parametrize("encoding", ["utf-8", "cp932", "euc_jp", "iso2022_jp"])
@pytest.mark.parametrize(
    "text",
    [
        "部",
        "会議",
        "議事録",
        "メモ",
        "お知らせ",
        "点検済",
        "１２３",
        "「弁」",
        "TP-200型",
        "9時から。",
        "東京都港区",
        "はい",
    ],
)
def test_a_short_snippet_is_read_from_every_encoding(encoding: str, text: str) -> None:
    assert decode(text.encode(encoding)).text == text


@pytest.mark.parametrize(
    ("text", "encoding", "named"),
    [
        pytest.param("①㈱～ⅳ", "cp932", "cp932", id="vendor characters of CP932"),
        pytest.param("部品ﾎﾟﾝﾌﾟの交換を行った。", "cp932", "cp932", id="half-width katakana in CP932"),
        pytest.param("部品ﾎﾟﾝﾌﾟの交換を行った。", "euc_jp", "euc_jp", id="half-width katakana in EUC-JP"),
        pytest.param("部品ﾎﾟﾝﾌﾟの交換", "iso2022_jp_ext", "iso2022_jp_ext", id="half-width katakana in ISO-2022-JP"),
        pytest.param("鄧小平と丂乄", "euc_jp", "euc_jp", id="JIS X 0212 in EUC-JP"),
        pytest.param("丂乄", "iso2022_jp_1", "iso2022_jp_1", id="JIS X 0212 in ISO-2022-JP"),
        pytest.param("表示ソ能予", "cp932", "cp932", id="backslash as second byte"),
        pytest.param("plain ASCII, no more", "ascii", "utf-8", id="ASCII"),
        pytest.param("naïve café", "utf-8", "utf-8", id="Latin UTF-8"),
        pytest.param("中文没有假名但是很长的一个句子中文没有假名但是很长", "utf-8", "utf-8", id="Chinese UTF-8"),
        pytest.param("𠮷野家と😀", "utf-8", "utf-8", id="beyond the first plane"),
    ],
)
def test_what_an_encoding_alone_has_is_read(text: str, encoding: str, named: str) -> None:
    decoded = decode(text.encode(encoding))
    assert (decoded.text, decoded.encoding) == (text, named)


def repertoire(encoding: str) -> list[str]:
    """The kana and kanji of an encoding, and the marks between them."""
    points = [*range(0x3000, 0x30FF), *range(0x4E00, 0x9FA6), *range(0xFF01, 0xFF5F)]
    found = []
    for point in points:
        try:
            same = chr(point).encode(encoding).decode(encoding) == chr(point)
        except UnicodeEncodeError:
            continue
        found += [chr(point)] if same else []
    return found


KANA = [chr(point) for point in (*range(0x3041, 0x3094), *range(0x30A1, 0x30F7), 0x30FC)]


@pytest.mark.parametrize("encoding", ["cp932", "euc_jp", "iso2022_jp_1", "utf-8", "utf-16"])
@given(st.data())
def test_any_text_with_as_many_kana_as_japanese_has_comes_back(encoding: str, data: st.DataObject) -> None:
    kana = data.draw(st.lists(st.sampled_from(KANA), min_size=12, max_size=30))
    others = data.draw(st.lists(st.sampled_from(REPERTOIRE[encoding]) | st.sampled_from("aZ09 \n-.,"), max_size=30))
    text = "".join(data.draw(st.permutations(kana + others)))
    content = text.encode(encoding)
    # One text in some thousands is valid in two encodings: nothing in the bytes tells which it was.
    assume(encoding in ("utf-8", "utf-16", "iso2022_jp_1", "euc_jp") or not _is(content, "utf-8", "euc_jp"))
    assume(encoding != "euc_jp" or not _is(content, "utf-8"))
    assert decode(content).text == text


REPERTOIRE = {encoding: repertoire(encoding) for encoding in ("cp932", "euc_jp", "iso2022_jp_1", "utf-8", "utf-16")}


def _is(content: bytes, *encodings: str) -> bool:
    for encoding in encodings:
        try:
            content.decode(encoding)
        except UnicodeDecodeError:
            continue
        return True
    return False


FRENCH = "Où est passée la clé de la porte d'entrée ? Elle a été posée près de la fenêtre, là où l'eau a gelé. "
GERMAN = "Die Prüfung der Ventile muß jährlich ausgeführt werden; Öl nachfüllen, Füße säubern, Tür schließen. "
SPANISH = "El señor Núñez revisó la válvula y añadió más aceite según el número de la página siguiente. "
RUSSIAN = "Перед запуском насоса необходимо проверить клапан и закрыть крышку корпуса. "
GREEK = "Πριν από την εκκίνηση ελέγξτε τη βαλβίδα και κλείστε το καπάκι της αντλίας. "


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        pytest.param(FRENCH, "latin-1", id="French"),
        pytest.param(GERMAN, "cp1252", id="German"),
        pytest.param(SPANISH, "latin-1", id="Spanish"),
        pytest.param("El Niño de Coruña ", "latin-1", id="Spanish that is private characters in CP932"),
        pytest.param("höher können schön ", "latin-1", id="German that is private characters in CP932"),
        pytest.param(RUSSIAN, "cp1251", id="Russian, CP1251"),
        pytest.param(RUSSIAN, "koi8-r", id="Russian, KOI8-R"),
        pytest.param(RUSSIAN, "iso8859-5", id="Russian, ISO 8859-5"),
        pytest.param(GREEK, "iso8859-7", id="Greek"),
        pytest.param("請確認閥門並關閉泵的蓋子，然後再啟動。", "big5", id="Chinese, Big5"),
        pytest.param("请检查阀门并关闭泵的盖子，然后再启动。", "gbk", id="Chinese, GBK"),
        pytest.param("펌프를 시작하기 전에 밸브를 확인하십시오. ", "euc_kr", id="Korean"),
    ],
)
@pytest.mark.parametrize("times", [12, 60])
def test_other_languages_are_not_taken_for_japanese(text: str, encoding: str, times: int) -> None:
    with pytest.raises(UndecodableError) as caught:
        decode((text * times).encode(encoding))
    assert caught.value.reason == "undecodable"


@given(st.binary(max_size=80))
def test_any_bytes_are_text_or_refused(content: bytes) -> None:
    try:
        decoded = decode(content)
    except UndecodableError as error:
        assert error.reason in ("binary", "undecodable")  # noqa: PT017  # both ends of the law are tested
    else:
        assert decoded.text.encode("utf-8", "surrogatepass").decode() == decoded.text


@pytest.mark.parametrize(
    ("control", "reason"), [pytest.param(1, None, id="1 in 100 stays"), pytest.param(2, "binary", id="2 in 100")]
)
def test_some_control_characters_are_text_and_more_are_binary(control: int, reason: str | None) -> None:
    content = b"x" * (100 - control) + b"\x01" * control
    if reason is None:
        assert decode(content).text.startswith("x")
    else:
        with pytest.raises(UndecodableError) as caught:
            decode(content)
        assert str(caught.value) == "binary: 2 control characters in 100 bytes"


@pytest.mark.parametrize("character", ["\t", "\n", "\r", "\f", "\x1b"], ids=ascii)
def test_control_characters_that_ordinary_text_has_do_not_count(character: str) -> None:
    assert decode((character * 50).encode()).text == character * 50


@pytest.mark.parametrize(
    ("kana", "plausible"), [pytest.param(2, True, id="2 kana in 40: 5 %"), pytest.param(1, False, id="1 in 40")]
)
def test_a_japanese_reading_has_kana(kana: int, plausible: bool) -> None:
    content = ("漢" * (40 - kana) + "の" * kana).encode("euc_jp")
    if plausible:
        assert decode(content).encoding == "euc_jp"
    else:
        with pytest.raises(UndecodableError):
            decode(content)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize(
    "text", [TEXT, "Check the pump.\r\n", "部品ﾎﾟﾝﾌﾟの交換を行った。\n"], ids=["Japanese", "English", "half-width"]
)
def test_utf_16_is_read_without_a_mark_too(encoding: str, text: str) -> None:
    assert decode(text.encode(encoding)) == Decoded(text, encoding)


@pytest.mark.parametrize(
    ("odd", "read"), [pytest.param(1, True, id="1 in 20: 95 %"), pytest.param(2, False, id="2 in 20")]
)
def test_utf_16_without_a_mark_is_ordinary_characters(odd: int, read: bool) -> None:
    content = ("a" * (20 - odd) + "\u0e01" * odd).encode("utf-16-le")
    if read:
        assert decode(content).encoding == "utf-16-le"
    else:
        with pytest.raises(UndecodableError, match="binary: NUL at byte 1"):
            decode(content)


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Москва", "cp1251"),
        ("Москва", "koi8-r"),
        ("Дата проверки", "cp1251"),
        ("Директор завода", "koi8-r"),
        ("Содержание", "iso8859-5"),
        ("Смета расходов", "cp866"),
        ("El Niño", "latin-1"),
        ("Größe", "cp1252"),
        ("Εκκίνηση", "iso8859-7"),
    ],
)
def test_a_title_in_another_language_is_not_taken_for_japanese(text: str, encoding: str) -> None:
    with pytest.raises(UndecodableError):
        decode(text.encode(encoding))


@pytest.mark.parametrize("encoding", ["cp932", "euc_jp"])
@pytest.mark.parametrize(
    ("text", "read"),
    [
        pytest.param("渡邊", True, id="1 rare kanji of 2"),
        pytest.param("齋藤邊", False, id="2 of 3"),
        pytest.param("齋藤邊の", True, id="with kana"),
        pytest.param("蓼原精機株式会社", True, id="a company"),
    ],
)
def test_half_of_a_short_text_without_kana_may_be_rare_kanji(encoding: str, text: str, read: bool) -> None:
    content = text.encode(encoding)
    if read:
        assert decode(content).text == text
    else:
        with pytest.raises(UndecodableError):
            decode(content)


@pytest.mark.parametrize(
    ("half", "read"), [pytest.param(10, True, id="half of 20"), pytest.param(11, False, id="11 of 21")]
)
def test_half_of_a_text_may_be_half_width_katakana_as_mojibake_is_not(half: int, read: bool) -> None:
    content = ("の" * 10 + "ｱ" * half).encode("cp932")
    if read:
        assert decode(content).encoding == "cp932"
    else:
        with pytest.raises(UndecodableError):
            decode(content)


def test_a_log_in_utf_8_may_have_the_escape_sequences_of_a_terminal() -> None:
    text = "\x1b[32m点検\x1b(B\x1b[m を終了した。"
    assert decode(text.encode()) == Decoded(text, "utf-8")
    assert decode(b"pump \x1b(B\x1b[m off").encoding == "iso2022_jp_1"


def test_a_message_has_numbers_and_no_text() -> None:
    with pytest.raises(UndecodableError) as caught:
        decode("秘密".encode("utf-16")[:-1])
    assert str(caught.value) == "undecodable: utf-16 breaks at byte 4 of 5"


@pytest.mark.slow
def test_fifty_megabytes_take_a_few_times_their_size() -> None:
    script = (
        "import sys\n"
        "from corpus.decode import decode\n"
        "from pretrain.convert.memory import PeakMemory\n"
        "content = '点検を行う。ポンプの動作を確認し、記録する。\\n'.encode('euc_jp') * 1_100_000\n"
        "memory = PeakMemory()\n"
        "decode(content)\n"
        "sys.stdout.write(str(memory.peak - memory.before))\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script], env={"PYTHONPATH": str(REPOSITORY)}, capture_output=True, text=True, check=True
    )
    assert int(ended.stdout) < 400_000_000  # 2 GB when every character was an object
