from __future__ import annotations

import pytest

from tokenizer.base_shape import BaseShape
from tokenizer.byte_bpe import ByteBpe
from tokenizer.expected import frequent_units, occurrences
from tokenizer.gain import Known, numbers, points
from tokenizer.learn import extend
from tokenizer.text_bytes import is_text
from tokenizer.units import count_units, to_batch, unpack_unit

TEXTS = ["定量ポンプの点検では、最初に電源を切り、次に弁を閉じる。", "点検表に結果を記入する。"] * 3
ENGLISH = ["Check the valve."]
CHARACTERS = sum(map(len, TEXTS))


def known(base: ByteBpe, **changes: object) -> Known:
    settings: dict[str, object] = {
        "texts": {"ja": TEXTS, "en": ENGLISH},
        "languages": ("ja",),
        "units": frequent_units(base, [to_batch(count_units(TEXTS * 2, base))]),
        "characters": 2 * CHARACTERS,
        "shape": BaseShape(rows=base.size, width=8, tied=True, body=10_000),
        "tokens": {"ja": 1000.0, "en": 1000.0},
        "pad_to_multiple": 1,
        "seen": 5,
    }
    return Known(**(settings | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("learned", "expected"),
    [(0, [0]), (250, [0, 250]), (251, [0, 250, 251]), (4000, [0, 250, 500, 1000, 2000, 4000])],
)
def test_numbers_double_up_to_what_was_learned(learned: int, expected: list[int]) -> None:
    assert numbers(learned) == expected


def test_what_new_tokens_bring_and_cost(gpt2: ByteBpe) -> None:
    extension = extend(gpt2, [to_batch(count_units(TEXTS, gpt2))], 20, 2)
    new = len(extension.tokens)
    start, end = points(gpt2, extension, known(gpt2))
    assert (start.new_tokens, start.rows, start.weight_bytes, start.flops_saved) == (0, gpt2.size, 0, 0.0)
    assert (end.new_tokens, end.rows) == (new, gpt2.size + new)
    assert (end.weight_bytes, end.state_bytes) == (new * 8 * 2, new * 8 * 12)
    assert start.chars_per_token["en"] == end.chars_per_token["en"]
    before, after = start.chars_per_token["ja"], end.chars_per_token["ja"]
    assert before is not None
    assert after is not None
    # (P_body + d V') / characters per token, for the characters that either language has in 1000 tokens of the base.
    work = 10_000 + 8 * gpt2.size, 10_000 + 8 * (gpt2.size + new)
    assert end.flops_saved == pytest.approx(1 - (work[1] * (1000 * before / after + 1000)) / (work[0] * 2000))


def test_untied_embeddings_and_padding_cost_more(gpt2: ByteBpe) -> None:
    extension = extend(gpt2, [to_batch(count_units(TEXTS, gpt2))], 20, 2)
    untied = BaseShape(gpt2.size, 8, False, 10_000)
    end = points(gpt2, extension, known(gpt2, shape=untied, pad_to_multiple=64))[-1]
    assert end.rows is not None
    assert end.rows % 64 == 0
    assert end.weight_bytes == (end.rows - gpt2.size) * 8 * 2 * 2


def test_a_token_is_seldom_seen_just_below_the_bound(gpt2: ByteBpe) -> None:
    """Everything that was learned from is read exactly once more."""
    extension = extend(gpt2, [to_batch(count_units(TEXTS, gpt2))], 1, 2)
    extended = gpt2.extended(extension)
    tokens = sum(len(extended.encode(text)) for text in TEXTS)
    often = sum(number == gpt2.size for text in TEXTS for number in extended.encode(text))
    units = frequent_units(gpt2, [to_batch(count_units(TEXTS, gpt2))])
    once = {"tokens": {"ja": float(tokens)}, "characters": CHARACTERS, "units": units}
    assert occurrences(extended, gpt2.size, units).tolist() == [often]
    assert points(gpt2, extension, known(gpt2, **once, seen=often))[-1].seldom_seen == 0
    assert points(gpt2, extension, known(gpt2, **once, seen=often + 1))[-1].seldom_seen == 1


@pytest.mark.parametrize("size", [1, 3, 1000], ids=["one at a time", "a few", "all at once"])
@pytest.mark.parametrize("most", [1, 5, 1000])
def test_the_most_frequent_units_do_not_depend_on_how_they_come(gpt2: ByteBpe, most: int, size: int) -> None:
    counts = count_units(TEXTS, gpt2)
    counts[min(counts)] = 1  # rare ones come first, so that some are held that must go
    batch = to_batch(counts)
    cut = [batch.slice(at, size) for at in range(0, batch.num_rows, size)]
    chosen = sorted(counts, key=lambda unit: (-counts[unit], unit))[:most]
    contents = [(b"".join(gpt2.bytes_of[number] for number in unpack_unit(unit)), counts[unit]) for unit in chosen]
    expected = [(content.decode(), count) for content, count in contents if is_text(content)]
    assert frequent_units(gpt2, cut, most) == expected


def test_what_nobody_knows_is_none(gpt2: ByteBpe) -> None:
    extension = extend(gpt2, [to_batch(count_units(TEXTS, gpt2))], 20, 2)
    end = points(gpt2, extension, known(gpt2, tokens={}, shape=None))[-1]
    assert (end.rows, end.weight_bytes, end.state_bytes, end.seldom_seen, end.flops_saved) == (None,) * 5


def test_without_new_tokens_there_is_one_point(gpt2: ByteBpe) -> None:
    extension = extend(gpt2, [], 20, 2)
    assert [point.new_tokens for point in points(gpt2, extension, known(gpt2))] == [0]
