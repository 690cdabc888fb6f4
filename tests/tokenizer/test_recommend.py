from __future__ import annotations

from configs.schema.tokenizer import Auto
from tokenizer.gain import Point
from tokenizer.recommend import recommend

AUTO = Auto()


def point(new_tokens: int, chars_per_token: float | None, seldom: int | None = 0) -> Point:
    return Point(new_tokens, {"ja": chars_per_token}, chars_per_token, None, None, None, seldom, None)


def test_the_last_doubling_that_is_worth_it_is_taken() -> None:
    """The man pages' curve of the reference: 1k +24 %, 2k +2.5 %, 4k +1.6 %, 8k +0.8 %."""
    curve = [point(0, 1.725), point(1000, 2.145), point(2000, 2.198), point(4000, 2.234), point(8000, 2.252)]
    found = recommend(curve, AUTO)
    assert found.add == 4000
    assert found.reason == (
        "4,000 new tokens bring 29.5% more characters per token; beyond 4,000 twice as many bring 0.8%, less than "
        "tokenizer.auto.min_doubling_gain (1.0%)"
    )


def test_a_doubling_of_exactly_the_least_gain_is_taken_and_one_below_is_not() -> None:
    assert recommend([point(0, 1.0), point(250, 2.0), point(500, 2.02)], Auto(min_doubling_gain=0.0099)).add == 500
    assert recommend([point(0, 1.0), point(250, 2.0), point(500, 2.02)], Auto(min_doubling_gain=0.0101)).add == 250


def test_the_last_step_may_be_shorter_than_a_doubling() -> None:
    """0.4 % for a fifth more tokens is 1.5 % for twice as many."""
    assert recommend([point(0, 1.0), point(1000, 2.0), point(1200, 2.008)], AUTO).add == 1200


def test_at_most_a_tenth_may_be_seldom_seen() -> None:
    curve = [point(0, 1.0), point(250, 1.5, 25), point(500, 2.0, 51)]
    found = recommend(curve, AUTO)
    assert (found.add, found.reason) == (
        250,
        "250 new tokens bring 50.0% more characters per token; of 500 tokens 51 would be seen fewer than 500 times in "
        "training, more than tokenizer.auto.max_seldom (10%)",
    )
    assert recommend([*curve[:2], point(500, 2.0, 50)], AUTO).add == 500


def test_a_small_gain_keeps_the_base() -> None:
    assert recommend([point(0, 1.0), point(250, 1.1)], Auto(min_gain=0.1)).add == 250
    found = recommend([point(0, 1.0), point(250, 1.0999)], AUTO)
    assert found.add == 0
    assert found.reason == (
        "keep the base's tokenizer: 250 new tokens would bring 10.0% more characters per token, less than "
        "tokenizer.auto.min_gain (10%)"
    )


def test_a_short_training_keeps_the_base() -> None:
    found = recommend([point(0, 1.0), point(250, 2.0, 250)], AUTO)
    assert found.add == 0
    assert found.reason.startswith("keep the base's tokenizer: of 250 tokens 250 would be seen fewer than 500 times")


def test_where_nobody_knows_how_long_training_is_the_gain_decides() -> None:
    assert recommend([point(0, 1.0), point(250, 2.0, None)], AUTO).add == 250


def test_without_text_or_tokens_the_base_is_kept() -> None:
    assert recommend([point(0, None)], AUTO).add == 0
    assert recommend([point(0, None), point(250, None, None)], AUTO).add == 0
