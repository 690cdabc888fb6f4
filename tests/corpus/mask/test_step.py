"""Masking a batch: the text and what goes with it, as the run file says."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from configs.schema.mask import Mask
from corpus.batch import Batch
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
