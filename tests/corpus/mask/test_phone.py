"""Phone numbers in every Japanese notation, and the numbers of a factory that are none."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.corpus.mask.masking import masked_alone

# Blocks that are assigned to nobody.
NUMBERS = [
    *("03-0000-1234", "045-000-1234", "0466-00-1234", "04992-0-1234"),
    *("090-0000-1234", "080-0000-1234", "070-0000-1234", "060-0000-1234", "050-0000-1234", "0800-000-1234"),
    *("0120-000-123", "0120-00-0123", "0570-000-123", "0990-000-123"),
]
WIDE = str.maketrans("0123456789-()", "０１２３４５６７８９－（）")


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize(
    "notation",
    [
        pytest.param(lambda number: number, id="hyphens"),
        pytest.param(lambda number: number.replace("-", " "), id="spaces"),
        pytest.param(lambda number: number.replace("-", "\u3000"), id="wide spaces"),
        pytest.param(lambda number: number.replace("-", "‐"), id="true hyphens"),
        pytest.param(lambda number: number.replace("-", "–"), id="dashes"),
        pytest.param(lambda number: number.replace("-", "−"), id="minus signs"),
        pytest.param(lambda number: number.replace("-", "ー"), id="long marks"),
        pytest.param(lambda number: number.translate(WIDE), id="full width"),
        pytest.param(lambda number: "({}){}-{}".format(*number.split("-")), id="area in brackets"),
        pytest.param(lambda number: "（{}） {}-{}".format(*number.split("-")), id="area in wide brackets"),
        pytest.param(lambda number: "{}({}){}".format(*number.split("-")), id="exchange in brackets"),
        pytest.param(lambda number: "+81-" + number[1:], id="international"),
        pytest.param(lambda number: "+81 " + number[1:].replace("-", " "), id="international, spaces"),
        pytest.param(lambda number: "+81(0)" + number[1:], id="international with the zero"),
        pytest.param(lambda number: "+81" + number[1:].replace("-", ""), id="international, bare"),
        pytest.param(lambda number: "＋" + ("81-" + number[1:]).translate(WIDE), id="international, full width"),
        pytest.param(lambda number: "電話：" + number.replace("-", ""), id="announced, bare"),
        pytest.param(lambda number: "TEL" + number.replace("-", ""), id="announced, bare and glued"),
    ],
)
def test_a_number_is_masked_in_every_notation(number: str, notation: object) -> None:
    assert callable(notation)
    masked, found = masked_alone("phone", f"連絡先 {notation(number)}まで")
    assert found == 1
    assert masked in ("連絡先 <phone>まで", "連絡先 電話：<phone>まで", "連絡先 TEL<phone>まで")


@pytest.mark.parametrize(
    "word", ["TEL", "Tel", "tel", "FAX", "Fax", "fax", "ＴＥＬ", "ＦＡＸ", "℡", "電話", "携帯", "ファックス"]
)
@pytest.mark.parametrize("gap", ["", ":", "：", " ", ".", " : "])
@pytest.mark.parametrize("number", ["03-0000-1234", "(03)0000-1234"])
def test_a_number_is_masked_behind_the_word_that_announces_it(word: str, gap: str, number: str) -> None:
    assert masked_alone("phone", f"{word}{gap}{number}") == (f"{word}{gap}<phone>", 1)


@pytest.mark.parametrize("number", ["09000001234", "08000001234", "07000001234", "05000001234", "0120000123"])
def test_mobile_and_free_numbers_need_neither_hyphens_nor_a_word(number: str) -> None:
    assert masked_alone("phone", f"（{number}）") == ("（<phone>）", 1)


@pytest.mark.parametrize(
    ("gap", "found"),
    [pytest.param("号は、次の通", 1, id="six characters"), pytest.param("号は、次の通り", 0, id="seven")],
)
def test_a_bare_number_is_one_within_six_characters_of_the_word(gap: str, found: int) -> None:
    assert masked_alone("phone", f"電話{gap}0300001234")[1] == found


@pytest.mark.parametrize("extra", ["内線12", "（代表）", "/5678", "、", "です", "~", "\n"])
def test_what_follows_a_number_stays(extra: str) -> None:
    assert masked_alone("phone", f"03-0000-1234{extra}") == (f"<phone>{extra}", 1)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("TP-200-0315-08", id="part number"),
        pytest.param("型番TP0300001234", id="part number of letters and digits"),
        pytest.param("A03-0000-1234", id="part number that begins with a letter"),
        pytest.param("2024-0312-3344-5566", id="part number of four groups"),
        pytest.param("図番 0300001234", id="bare ten digits"),
        pytest.param("ロット0300001234", id="lot"),
        pytest.param("LOT No. 24-0312-007", id="lot with hyphens"),
        pytest.param("L0300001234", id="lot with a letter"),
        pytest.param("S/N 09000001234567", id="serial number"),
        pytest.param("15,000 270,000 400 0694", id="amounts in a row"),
        pytest.param("2024-05-12", id="date"),
        pytest.param("02-03-2024", id="date, day first"),
        pytest.param("2024/05/12 09:00-10:30", id="date and time"),
        pytest.param("令和06-05-12", id="era date"),
        pytest.param("08-12-2023 0930", id="date and bare time"),
        pytest.param("¥1,234,567", id="price"),
        pytest.param("0300001234円", id="price of ten digits"),
        pytest.param("ISBN 978-4-00-000000-0", id="ISBN-13"),
        pytest.param("ISBN 0-00-000000-0", id="ISBN-10"),
        pytest.param("ISBN4000000000", id="ISBN-10, bare"),
        pytest.param("4900000001234", id="JAN code"),
        pytest.param("v0.10.2024", id="version"),
        pytest.param("10.0.0.1 192.168.000.1234", id="IP address"),
        pytest.param("0.1234567890", id="decimal number"),
        pytest.param("〒100-0001 000-0000", id="postcode"),
        pytest.param("1234-5678-9012-3456", id="card number"),
        pytest.param("0300-0000-1234-5", id="a group too many"),
        pytest.param("03-0000-12345", id="a digit too many"),
        pytest.param("103-0000-1234", id="a digit before"),
        pytest.param("3.03-0000-1234", id="a decimal point before"),
        pytest.param("03-0000-123", id="a digit too few"),
        pytest.param("090-000-1234", id="mobile, a digit too few"),
        pytest.param("0900000123", id="mobile, bare, a digit too few"),
        pytest.param("0120-00-123", id="free, a digit too few"),
        pytest.param("+81-3-0000", id="international, too short"),
        pytest.param("+8103000012345678", id="international, too long"),
        pytest.param("+82-3-0000-1234", id="another country"),
        pytest.param("0000000000", id="zeros"),
        pytest.param("", id="nothing"),
    ],
)
def test_what_is_no_phone_number_stays(text: str) -> None:
    assert masked_alone("phone", text) == (text, 0)


NUMBER_LIKE = st.sampled_from(
    ["03", "0000", "1234", "090", "0120", "0300001234", "+81", "-", " ", "(", ")", "TEL", "あ"]
)


@given(st.lists(NUMBER_LIKE, max_size=16).map("".join) | st.text("0０389-ー() +TEL電話あ\n", max_size=60))
def test_masking_twice_is_masking_once_and_the_count_is_that_of_the_placeholders(text: str) -> None:
    masked, found = masked_alone("phone", text)
    assert masked.count("<phone>") == found
    assert masked_alone("phone", masked) == (masked, 0)


def test_a_long_list_of_codes_takes_no_longer_than_other_text() -> None:
    began = time.process_time()
    text = "0123456789\n" * 50_000
    assert masked_alone("phone", text) == (text, 0)
    assert time.process_time() - began < 15  # 0.3 s; a minute and more when it was quadratic
