"""What a page or a server says of its encoding is believed where it can be right."""

from __future__ import annotations

import pytest

from corpus.decode import UndecodableError, decode

TEXT = "点検表に結果を記入し、課長の確認を受ける。\n異常があれば、ポンプを止めて報告すること。\n"


@pytest.mark.parametrize("declared", ["hex", "undefined", "utf-7", "unicode_escape", "cp037", "x-none", "", "idna"])
def test_a_declared_encoding_that_no_page_can_have_is_passed_over(declared: str) -> None:
    assert decode(TEXT.encode("cp932"), declared).text == TEXT
    assert decode(rb"+AEE- \u0041", declared).text == r"+AEE- \u0041"


@pytest.mark.parametrize(
    ("encoding", "declared"),
    [
        ("utf-8", "iso-8859-1"),
        ("utf-8", "windows-1252"),
        ("utf-8", "shift_jis"),
        ("cp932", "euc-jp"),
        ("euc_jp", "utf-8"),
    ],
)
@pytest.mark.parametrize("text", [TEXT, "<p>図面</p>", "<p>議事録</p>"], ids=["long", "short", "short too"])
def test_a_wrong_declaration_is_passed_over(encoding: str, declared: str, text: str) -> None:
    assert decode(text.encode(encoding), declared).text == text


def test_a_declared_encoding_decides_where_the_cascade_would_not_know() -> None:
    assert decode("Prüfung der Füße".encode("latin-1"), "iso-8859-1").text == "Prüfung der Füße"
    with pytest.raises(UndecodableError):
        decode("Prüfung der Füße".encode("latin-1"))
