"""Masking a batch: the text and what goes with it, as the run file says."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from configs.schema.mask import Action, Mask
from corpus.batch import Batch
from corpus.mask.pseudonym import pseudonym
from corpus.mask.step import mask
from corpus.tally import Tally

NOTHING = Mask(**dict.fromkeys(Mask().actions(), "leave"))  # type: ignore[arg-type]  # every key takes the same words
TEXT = "a@example.com と 03-0000-1234"


def test_text_and_meta_are_masked_and_each_kind_is_counted(batch_of: Callable[..., Batch]) -> None:
    tally = Tally()
    masked, reasons = mask(batch_of(TEXT, "なし", meta='{"from": "b@example.com"}'), Mask(), tally)
    assert reasons == [None, None]
    assert masked.column("text").to_pylist() == ["<email> と <phone>", "なし"]
    assert masked.column("meta").to_pylist() == ['{"from": "<email>"}'] * 2
    assert tally.counts == {"masked.email": 3, "masked.phone": 1}


@pytest.mark.parametrize(
    ("settings", "text", "counts"),
    [
        pytest.param(Mask(phone="leave"), "<email> と 03-0000-1234", {"masked.email": 1}, id="addresses"),
        pytest.param(Mask(email="leave"), "a@example.com と <phone>", {"masked.phone": 1}, id="numbers"),
        pytest.param(NOTHING, TEXT, {}, id="nothing"),
    ],
)
def test_what_the_run_file_leaves_is_left(
    batch_of: Callable[..., Batch], settings: Mask, text: str, counts: dict[str, int]
) -> None:
    tally = Tally()
    masked, _ = mask(batch_of(TEXT), settings, tally)
    assert masked.column("text").to_pylist() == [text]
    assert masked.column("meta").to_pylist() == [None]
    assert tally.counts == counts


def test_a_document_goes_for_a_kind_that_drops_it_and_is_masked_all_the_same(batch_of: Callable[..., Batch]) -> None:
    tally = Tally()
    masked, reasons = mask(batch_of(TEXT, "a@example.com", "なし"), Mask(phone="drop"), tally)
    assert reasons == ["holds_phone", None, None]
    assert masked.column("text").to_pylist() == ["<email> と <phone>", "<email>", "なし"]


def test_a_document_goes_for_what_goes_with_it(batch_of: Callable[..., Batch]) -> None:
    _, reasons = mask(batch_of("なし", meta='{"from": "b@example.com"}'), Mask(email="drop"), Tally())
    assert reasons == ["holds_email"]


def test_pseudonyms_are_the_same_in_text_and_meta(
    batch_of: Callable[..., Batch], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TSUGIKI_PSEUDONYM_KEY", "0123456789abcdef")
    tally = Tally()
    masked, _ = mask(batch_of(TEXT, meta='{"from": "A@example.com"}'), Mask(email="pseudonymise"), tally)
    [text], [meta] = masked.column("text").to_pylist(), masked.column("meta").to_pylist()
    word = text.removesuffix(" と <phone>")
    assert word.startswith("<email:")
    assert meta == f'{{"from": "{word}"}}'
    assert tally.counts == {"masked.email": 2, "masked.phone": 1}


def test_names_stay_unless_the_run_file_says_otherwise(batch_of: Callable[..., Batch]) -> None:
    batch = batch_of("担当の佐藤花子さんに渡す。")
    assert mask(batch, Mask(), Tally())[0].column("text").to_pylist() == ["担当の佐藤花子さんに渡す。"]
    assert mask(batch, Mask(name="mask"), Tally())[0].column("text").to_pylist() == ["担当の<name>さんに渡す。"]


OF_KIND = {
    "email": ("宛先は", "a@example.com", "です。"),
    "phone": ("電話は", "０９０−００００−１２３４", "です。"),
    "my_number": ("個人番号は", "123456789018", "です。"),
    "credit_card": ("カード番号は", "4111-1111-1111-1111", "です。"),
    "bank_account": ("口座番号は", "1234567", "です。"),
    "postal_code": ("〒", "100-0001", "に送る。"),
    "address": ("住所は", "東京都港区芝公園4-2-8", "です。"),
    "name": ("担当の", "佐藤花子", "さんに渡す。"),
    "driving_licence": ("運転免許証の番号は", "309012345620", "です。"),
    "passport": ("旅券番号は", "TK1234567", "です。"),
    "health_insurance": ("保険者番号は", "01130012", "です。"),
    "birth_date": ("生年月日は", "昭和55年1月2日", "です。"),
    "ip_address": ("送信元は", "192.0.2.7", "です。"),
    "credential": ("パスワードは「", "Kasa-mori9", "」です。"),
}


def test_there_is_a_sentence_of_every_kind() -> None:
    assert OF_KIND.keys() == Mask().actions().keys()


@pytest.mark.parametrize("action", ["mask", "pseudonymise", "drop", "leave"])
@pytest.mark.parametrize("kind", OF_KIND)
def test_with_every_kind_becomes_what_the_run_file_says(
    batch_of: Callable[..., Batch], monkeypatch: pytest.MonkeyPatch, kind: str, action: Action
) -> None:
    monkeypatch.setenv("TSUGIKI_PSEUDONYM_KEY", "0123456789abcdef")
    before, value, after = OF_KIND[kind]
    settings = NOTHING.model_copy(update={kind: action})
    masked, reasons = mask(batch_of(before + value + after), settings, Tally())
    [text] = masked.column("text").to_pylist()
    word = {"pseudonymise": pseudonym(b"0123456789abcdef", kind, value), "leave": value}.get(action, f"<{kind}>")
    assert text == before + word + after
    assert reasons == [f"holds_{kind}" if action == "drop" else None]
