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
