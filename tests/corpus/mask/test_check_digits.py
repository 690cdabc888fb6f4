"""Numbers with check digits: every right one is found, and none with one wrong digit."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.personal_text import invent
from corpus.mask.kind import digits_of, luhn
from corpus.mask.my_number import check_digit, has_check_digit
from tests.corpus.mask.masking import spans_of

SEEDS = st.integers(0, 2**32).map(Random)


@given(SEEDS)
def test_every_right_my_number_is_found_with_and_without_a_word(random: Random) -> None:
    number = invent.my_number(random)
    for text in (f"個人番号は{number}です", f"確認したのは {number}。"):
        assert spans_of(text, "my_number") == [("my_number", number)]


@given(st.text("0123456789", min_size=11, max_size=11), st.integers(1, 9))
def test_no_my_number_with_another_check_digit_is_found(eleven: str, more: int) -> None:
    wrong = f"{eleven}{(check_digit(eleven) + more) % 10}"
    assert not has_check_digit(wrong)
    assert spans_of(f"個人番号は{wrong}です", "my_number") == []


@pytest.mark.parametrize(
    ("eleven", "digit"),
    [
        # 6·1 + 5·2 + 4·3 + 3·4 + 2·5 + 7·6 + 6·7 + 5·8 + 4·9 + 3·0 + 2·1 = 212, 212 mod 11 = 3, 11 - 3 = 8.
        pytest.param("12345678901", 8, id="by hand"),
        pytest.param("00000000000", 0, id="remainder 0"),
        # The last of the eleven weighs 2: 2·6 = 12, remainder 1.
        pytest.param("00000000006", 0, id="remainder 1"),
        pytest.param("00000000001", 9, id="remainder 2"),
    ],
)
def test_the_check_digit_of_my_number(eleven: str, digit: int) -> None:
    assert check_digit(eleven) == digit


@given(SEEDS)
def test_every_right_card_number_is_found(random: Random) -> None:
    number = invent.credit_card(random)
    assert spans_of(f"お支払いは{number}で", "credit_card") == [("credit_card", number)]


@given(SEEDS, st.integers(1, 9))
def test_no_card_number_with_another_check_digit_is_found(random: Random, more: int) -> None:
    number = digits_of(invent.credit_card(random).translate(str.maketrans("０１２３４５６７８９", "0123456789")))
    wrong = f"{number[:-1]}{(int(number[-1]) + more) % 10}"
    assert not luhn(wrong)
    assert spans_of(f"カード番号は{wrong}です", "credit_card") == []


@given(SEEDS, st.integers(1, 9))
def test_an_insurer_has_its_check_digit(random: Random, more: int) -> None:
    number = invent.insurer(random)
    assert spans_of(f"保険者番号は{number}です", "health_insurance") == [("health_insurance", number)]
    wrong = f"{number[:-1]}{(int(number[-1]) + more) % 10}"
    assert spans_of(f"保険者番号は{wrong}です", "health_insurance") == []


def test_the_check_digit_of_real_insurers_is_right() -> None:
    # Published: 全国健康保険協会, Tokyo and Osaka.
    assert luhn("01130012")
    assert luhn("01270016")


@pytest.mark.parametrize(
    ("kind", "invented", "sentence"),
    [
        pytest.param("driving_licence", invent.driving_licence, "免許証番号 {} を確認", id="driving licence"),
        pytest.param("passport", invent.passport, "旅券番号は{}です", id="passport"),
        pytest.param("bank_account", invent.bank_account, "口座番号：{}", id="bank account"),
        pytest.param("postal_code", invent.postal_code, "〒{} まで", id="postal code"),
        pytest.param("birth_date", invent.birth_date, "生年月日：{}。", id="birth date"),
        pytest.param("ip_address", invent.ip_address, "接続元は{}でした", id="IP address"),
        pytest.param("phone", invent.phone, "電話は{}まで", id="phone"),
        pytest.param("email", invent.email, "宛先は{}です", id="email"),
        pytest.param("credential", invent.password, "パスワードは{}です", id="password"),
        pytest.param("credential", invent.github_token, "鍵{}が漏れた", id="token"),
        pytest.param("credential", invent.private_key, "鍵\n{}\n終わり", id="private key"),
    ],
)
@given(random=SEEDS)
def test_every_invented_value_is_found_in_its_sentence(
    kind: str, invented: Callable[[Random], str], sentence: str, random: Random
) -> None:
    value = invented(random)
    assert spans_of(sentence.format(value), kind) == [(kind, value)]


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        pytest.param("driving_licence", "伝票番号 309012345620", id="licence without a word"),
        pytest.param("driving_licence", "免許証番号 989012345620", id="licence of no commission"),
        pytest.param("passport", "型番 TK1234567", id="passport without a word"),
        pytest.param("bank_account", "受付番号 1234567", id="account without a word"),
        pytest.param("bank_account", "口座番号は12345678です", id="account of eight digits"),
        pytest.param("postal_code", "図番 100-0001", id="postal code without a word"),
        pytest.param("birth_date", "1980年3月4日に竣工した", id="a building's date"),
        pytest.param("birth_date", "1980年3月生まれ", id="no full date"),
        pytest.param("ip_address", "バージョン 1.2.3.4", id="version"),
        pytest.param("ip_address", "256.1.1.1 と 1.2.3", id="no address"),
        pytest.param("credential", "パスワードは必ず変えること", id="prose about passwords"),
        pytest.param("credential", "password: ${DB_PASSWORD}", id="stand-in"),
        pytest.param("my_number", "伝票番号 123456789018", id="slip with a right check digit"),
        pytest.param("my_number", "1234 5678 9018 1000", id="columns of a table"),
        pytest.param("my_number", "7 1234 5678 9018", id="columns of a table, behind another"),
    ],
)
def test_what_only_looks_like_it_stays(kind: str, text: str) -> None:
    assert spans_of(text, kind) == []


def test_a_row_of_numbers_that_a_word_announces_is_a_my_number() -> None:
    assert spans_of("個人番号 1234 5678 9018 2024年", "my_number") == [("my_number", "1234 5678 9018")]
