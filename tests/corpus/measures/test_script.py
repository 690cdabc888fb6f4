"""Shares of scripts and of broken characters, by hand."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from corpus.batch import Batch
from corpus.measures.registry import Columns
from corpus.measures.script import script_shares, share

BatchOf = Callable[..., Batch]


def one(columns: Columns) -> dict[str, float]:
    """The measures of the only document."""
    return {name: float(values[0]) for name, values in columns.items()}


def test_a_sentence_has_these_shares(batch_of: BatchOf) -> None:
    # 点検 の後、 ポンプ を 止める。 TP-2 … : 2 + 2 + 3 + 1 + 3 Japanese, and 、 。 T P - 2 … ; spaces do not count.
    shares = one(script_shares(batch_of("点検の後、ポンプを止める。\n　TP-2…")))
    assert shares == {
        "characters": 18.0,
        "japanese_share": 11 / 18,
        "hiragana_share": 4 / 11,
        "katakana_share": 3 / 11,
        "letter_share": 13 / 18,
        "digit_share": 1 / 18,
        "full_stops_per_100": 100 / 18,
        "ellipsis_share": 1 / 18,
        "replacement_share": 0.0,
        "mojibake_share": 0.0,
    }


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        pytest.param("ああああ", "hiragana_share", 1.0, id="hiragana alone"),
        pytest.param("漢あ", "hiragana_share", 0.5, id="half hiragana"),
        pytest.param("ａb１2", "letter_share", 0.5, id="letters and digits, both widths"),
        pytest.param("ａb１2", "digit_share", 0.5, id="digits of both widths"),
        pytest.param("One. Two. 3.5", "full_stops_per_100", 100 * 2 / 11, id="Latin full stops"),
        pytest.param("文字\ufffd\ufffd", "replacement_share", 0.5, id="replacement characters"),
        pytest.param("繧ｵ縺ｮ", "mojibake_share", 0.5, id="UTF-8 read as CP932"),
        pytest.param("ã\x81\x82", "mojibake_share", 1.0, id="UTF-8 read as Latin-1"),
        pytest.param("ｱｲ", "katakana_share", 1.0, id="half-width katakana"),
        pytest.param("𠮷野", "japanese_share", 1.0, id="kanji beyond the first plane"),
        pytest.param("a b\u3000\n", "characters", 2.0, id="space is no character"),
    ],
)
def test_a_measure_is(batch_of: BatchOf, text: str, name: str, value: float) -> None:
    assert one(script_shares(batch_of(text)))[name] == value


@pytest.mark.parametrize("text", ["", " \n\u3000"], ids=repr)
def test_a_text_without_characters_has_a_count_and_no_shares(batch_of: BatchOf, text: str) -> None:
    shares = one(script_shares(batch_of(text)))
    assert shares.pop("characters") == 0
    assert all(np.isnan(value) for value in shares.values())


def test_a_text_without_japanese_has_no_share_of_hiragana(batch_of: BatchOf) -> None:
    shares = one(script_shares(batch_of("pump")))
    assert shares["japanese_share"] == 0
    assert np.isnan(shares["hiragana_share"])


def test_each_document_has_its_own(batch_of: BatchOf) -> None:
    columns = script_shares(batch_of("ああ", "漢", ""))
    assert columns["characters"].tolist() == [2.0, 1.0, 0.0]
    assert columns["hiragana_share"][:2].tolist() == [1.0, 0.0]


def test_a_share_of_nothing_is_no_number() -> None:
    shares = share(np.array([0, 1, 3]), np.array([0, 2, 4]))
    assert np.isnan(shares[0])
    assert shares[1:].tolist() == [0.5, 0.75]
