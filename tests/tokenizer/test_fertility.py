from __future__ import annotations

from tokenizer.byte_bpe import ByteBpe
from tokenizer.fertility import chars_per_token, curve
from tokenizer.learn import extend
from tokenizer.units import count_units, to_batch

TEXTS = ["定量ポンプの点検では、最初に電源を切り、次に弁を閉じる。", "点検表に結果を記入する。"] * 3


def test_characters_per_token_is_characters_over_tokens(gpt2: ByteBpe) -> None:
    text = "Check the 点検"
    assert chars_per_token(gpt2, [text, text]) == len(text) / len(gpt2.encode(text))


def test_without_text_there_is_no_figure(gpt2: ByteBpe) -> None:
    assert chars_per_token(gpt2, []) is None


def test_the_curve_begins_at_the_base_and_ends_at_the_extension(gpt2: ByteBpe) -> None:
    extension = extend(gpt2, [to_batch(count_units(TEXTS, gpt2))], 20, 2)
    points = curve(gpt2, extension, {"ja": TEXTS, "en": ["Check the valve."], "fr": []})
    assert points[0] == {
        "new_tokens": 0,
        "ja": chars_per_token(gpt2, TEXTS),
        "en": chars_per_token(gpt2, ["Check the valve."]),
        "fr": None,
    }
    assert points[-1]["new_tokens"] == len(extension.tokens)
    japanese = [point["ja"] for point in points]
    # Never fewer characters per token with more tokens.
    assert japanese == sorted(japanese, key=lambda figure: figure or 0)
    assert {point["en"] for point in points} == {points[0]["en"]}


def test_a_prefix_is_the_tokenizer_a_smaller_budget_gives(gpt2: ByteBpe) -> None:
    batch = to_batch(count_units(TEXTS, gpt2))
    whole, small = extend(gpt2, [batch], 20, 2), extend(gpt2, [batch], 6, 2)
    text = TEXTS[0]
    assert gpt2.extended(whole.beginning(6)).encode(text) == gpt2.extended(small).encode(text)
