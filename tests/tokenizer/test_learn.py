from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenizer.byte_bpe import ByteBpe
from tokenizer.extendable import Extension, Merge
from tokenizer.learn import extend, learn, unreached
from tokenizer.text_bytes import is_text_or_beginning
from tokenizer.units import count_units, pack_unit, to_batch, unpack_unit

TEXTS = [
    "定量ポンプの点検では、最初に電源を切り、次に弁を閉じる。",
    "ポンプの点検が終わったら、点検表に結果を記入して課長に渡す。",
    "流量センサーの校正は年に一度行う。校正の結果は品質保証課が保管する。",
] * 3


def learned(base: ByteBpe, budget: int = 40, min_count: int = 3) -> Extension:
    return extend(base, [to_batch(count_units(TEXTS, base))], budget, min_count)


def test_frequent_words_become_tokens(base: ByteBpe) -> None:
    extension = learned(base)
    assert "ポンプ".encode() in extension.tokens
    assert "点検".encode() in extension.tokens


def test_the_budget_is_kept_to(base: ByteBpe) -> None:
    assert len(learned(base, budget=7).tokens) == 7


def test_a_smaller_budget_gives_the_beginning_of_a_larger_one(base: ByteBpe) -> None:
    assert learned(base, budget=40).tokens[:7] == learned(base, budget=7).tokens


@pytest.mark.parametrize(("min_count", "expected"), [(9, True), (10, False)], ids=["exactly often enough", "one short"])
def test_a_pair_below_min_count_is_not_merged(gpt2: ByteBpe, min_count: int, expected: bool) -> None:
    texts = ["校正"] * 9
    extension = extend(gpt2, [to_batch(count_units(texts, gpt2))], 50, min_count)
    assert ("校正".encode() in extension.tokens) is expected


def test_every_token_has_japanese_and_is_no_old_token(base: ByteBpe) -> None:
    extension = learned(base)
    assert all(max(token) >= 0x80 for token in extension.tokens)
    assert not set(extension.tokens) & set(base.bytes_of.values())
    assert len(set(extension.tokens)) == len(extension.tokens)


def test_every_token_is_text_or_the_beginning_of_one_character(base: ByteBpe) -> None:
    assert all(is_text_or_beginning(token) for token in learned(base).tokens)


def test_every_token_is_reached(base: ByteBpe) -> None:
    extension = learned(base)
    assert unreached(base.extended(extension), extension.numbered) == frozenset()


def test_a_token_that_its_own_text_does_not_reach_is_given_up(gpt2: ByteBpe) -> None:
    extension = learned(gpt2)
    # Without its merges a token is dead; `unreached` must say so, or extend() could not mend it.
    dead = "点検".encode()
    number = gpt2.size + extension.tokens.index(dead)
    merges = tuple(merge for merge in extension.merges if number not in (merge.left, merge.right, merge.result))
    assert dead in unreached(gpt2.extended(replace(extension, merges=merges)), extension.numbered)
    batch = to_batch(count_units(TEXTS, gpt2))
    assert dead not in learn(gpt2, [batch], 40, 3, banned=frozenset({dead})).tokens


def test_counts_of_units_in_several_batches_add_up(gpt2: ByteBpe) -> None:
    whole = to_batch(count_units(TEXTS, gpt2))
    assert extend(gpt2, [whole.slice(0, 5), whole.slice(5)], 30, 3) == extend(gpt2, [whole], 30, 3)


@pytest.mark.parametrize("text", ["あ" * 500, "あ", "", "a" * 500], ids=["many", "one", "none", "ASCII"])
def test_a_corpus_of_one_character_gives_only_tokens_that_are_reached(base: ByteBpe, text: str) -> None:
    extension = extend(base, [to_batch(count_units([text] * 9, base))], 40, 3)
    assert unreached(base.extended(extension), extension.numbered) == frozenset()
    assert all(set(content) <= set("あ".encode()) for content in extension.tokens)


@given(st.binary(min_size=1, max_size=8))
@settings(max_examples=500)
def test_text_or_beginning_means_that_more_bytes_can_make_it_text(content: bytes) -> None:
    def decodes(candidate: bytes) -> bool:
        try:
            return bool(candidate.decode())
        except UnicodeDecodeError:
            return False

    def completed(start: bytes) -> bool:
        # The last byte of a character is 80 to BF; the ones before are filled with every lead that UTF-8 allows.
        tails = [b"\x80", b"\x90\x80", b"\xa0\x80", b"\x80\x80", b"\x90\x80\x80", b"\x80\x80\x80"]
        return any(decodes(start + tail) and len((start + tail).decode()) == 1 for tail in tails)

    assert is_text_or_beginning(content) == (decodes(content) or completed(content))


def learned_slowly(
    base: ByteBpe, words: list[list[int]], counts: list[int], budget: int, min_count: int
) -> tuple[list[bytes], list[Merge]]:
    """The same by counting all pairs anew for each token."""
    bytes_of, tokens, merges, passed = dict(base.bytes_of), dict[bytes, int](), list[Merge](), set[tuple[int, int]]()
    while True:
        pairs: Counter[tuple[int, int]] = Counter()
        for word, count in zip(words, counts, strict=True):
            for pair in itertools.pairwise(word):
                pairs[pair] += count
        open_pairs = [(-count, pair) for pair, count in pairs.items() if count >= min_count and pair not in passed]
        if not open_pairs:
            return list(tokens), list(dict.fromkeys(merges))
        _, pair = min(open_pairs)
        content = bytes_of[pair[0]] + bytes_of[pair[1]]
        may_be = content not in base.bytes_of.values() and base.may_be_token(content)
        if content not in tokens and (not may_be or len(tokens) == budget):
            passed.add(pair)
            continue
        number = tokens.setdefault(content, base.size + len(tokens))
        bytes_of[number] = content
        merges.append(Merge(*pair, number))
        words = [joined(word, pair, number) for word in words]


def joined(word: list[int], pair: tuple[int, int], number: int) -> list[int]:
    """A word with a token in the place of a pair, from left to right."""
    result: list[int] = []
    for token in word:
        if result and (result[-1], token) == pair:
            result[-1] = number
        else:
            result.append(token)
    return result


@settings(max_examples=60)
@given(
    st.dictionaries(st.text("点検弁aあ", min_size=1, max_size=6), st.integers(1, 6), max_size=8),
    st.integers(1, 12),
    st.integers(1, 4),
)
def test_tokens_are_those_of_counting_all_pairs_anew(
    gpt2: ByteBpe, texts: dict[str, int], budget: int, min_count: int
) -> None:
    plain = gpt2.without_shortcut()
    units: Counter[bytes] = Counter()
    for text, count in texts.items():
        units[pack_unit(plain.encode(text))] += count
    extension = learn(gpt2, [to_batch(units)], budget, min_count, frozenset())
    words = [list(unpack_unit(unit)) for unit in sorted(units)]
    tokens, merges = learned_slowly(gpt2, words, [units[unit] for unit in sorted(units)], budget, min_count)
    assert (list(extension.tokens), list(extension.merges)) == (tokens, merges)
