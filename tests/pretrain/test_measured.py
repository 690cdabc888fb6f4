from __future__ import annotations

import json

import pytest

from pretrain.measured import Measured, by_language, measured_in


def test_sources_of_a_language_are_added_up() -> None:
    measured = {"a": Measured(2.0, 4, 10, 30), "b": Measured(4.0, 2, 20, 60), "c": Measured(1.0, 1, 5, 5)}
    assert by_language(measured, {"a": "ja", "b": "ja", "c": "en"}) == {
        "ja": Measured(6.0, 6, 30, 90),
        "en": Measured(1.0, 1, 5, 5),
    }


def test_bits_are_counted_per_character_and_per_byte_and_survive_the_file() -> None:
    one = Measured(nll_nats=6.931471805599453, tokens=4, characters=5, bytes=10)
    assert one.bits_per_character == pytest.approx(2.0)
    assert one.bits_per_byte == pytest.approx(1.0)
    assert measured_in({"sources": {"a": json.loads(json.dumps(one.to_json()))}}) == {"a": one}
