from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tokenizer.sp_models import trained
from tokenizer.byte_bpe import ByteBpe
from tokenizer.compile import compiled
from tokenizer.extendable import Extendable
from tokenizer.sp_bpe import SpBpe
from tokenizer.sp_definition import definition_of
from tokenizer.sp_unigram import SpUnigram
from tokenizer.units import UnitCounter, count_units, morpheme_cuts, pack_unit, to_batch, unpack_unit

FRAGMENTS = (
    "点検",
    "ポンプ",
    "の",
    "を行う",
    "品質保証課",
    "。",
    " ",
    "\n",
    "\u3000",
    "12",
    "Check the valve",
    "か\u3099",
)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.lists(
    st.sampled_from([*FRAGMENTS, "<tool>", "<|im_end|>", "𠮷野家", "弁" * 1100]), max_size=12
).map("".join)


def runs(text: str, base: Extendable) -> Iterator[list[int]]:
    """The runs of base tokens of a text, as the library cuts it, token by token."""
    cuts = morpheme_cuts(base.normalised(text))
    encoding = base.backend.encode(text, add_special_tokens=False)
    run: list[int] = []
    start, word_before = 0, None
    for number, word in zip(encoding.ids, encoding.word_ids, strict=True):
        end = start + len(base.bytes_of[number])
        if start in cuts or word != word_before:
            yield run
            run = []
        if any(cut in cuts for cut in range(start + 1, end)):
            yield run
            run = []
        else:
            run.append(number)
        start, word_before = end, word
    yield run


def counted_slowly(texts: Sequence[str], base: Extendable) -> Counter[bytes]:
    beyond = {number for number, content in base.bytes_of.items() if not content.isascii()}
    return Counter(
        pack_unit(run) for text in texts for run in runs(text, base) if len(run) > 1 and not beyond.isdisjoint(run)
    )


@lru_cache
def sentencepiece(algorithm: str, prefix: bool, known: bool) -> Extendable:
    """A base that is compiled, or where its layout is not known, that the library encodes.

    Without a space before a text it has a token that is looked for before anything else; behind that token there would
    be a space, too, which the text does not have.
    """
    settings = {} if prefix else {"add_dummy_prefix": False, "user_defined_symbols": "検"}
    definition = definition_of(trained(algorithm, **settings), {})
    if not known:
        definition["normalizer"] = {"type": "Sequence", "normalizers": [{"type": "NFC"}, definition["normalizer"]]}
    return (SpBpe if algorithm == "bpe" else SpUnigram)(definition, "the base of a test", None)


@pytest.fixture(scope="module")
def with_added_token(gpt2: ByteBpe) -> ByteBpe:
    """A base with a token that is looked for before the text is cut into words."""
    definition = gpt2.copied_definition()
    token = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": True, "special": False}
    definition["added_tokens"] = [*definition["added_tokens"], {"id": gpt2.size, "content": "<tool>", **token}]
    definition["model"]["vocab"]["<tool>"] = gpt2.size
    return ByteBpe(definition, "the base of a test")


@given(st.lists(st.integers(0, 2**32 - 1)))
def test_a_unit_comes_back(ids: list[int]) -> None:
    assert unpack_unit(pack_unit(ids)) == tuple(ids)


@given(st.lists(st.integers(0, 2**31), min_size=1), st.lists(st.integers(0, 2**31), min_size=1))
def test_units_sort_like_their_numbers(one: list[int], other: list[int]) -> None:
    assert (pack_unit(one) < pack_unit(other)) == (one < other)


@settings(max_examples=40)
@given(st.lists(TEXT, min_size=1, max_size=4))
def test_units_are_those_of_the_library_token_by_token(base: ByteBpe, texts: list[str]) -> None:
    assert count_units(texts, base) == counted_slowly(texts, base)


@settings(max_examples=40)
@given(st.lists(TEXT, min_size=1, max_size=4))
def test_added_tokens_cut_units_as_in_the_library(with_added_token: ByteBpe, texts: list[str]) -> None:
    assert count_units(texts, with_added_token) == counted_slowly(texts, with_added_token)


@pytest.mark.parametrize(
    ("algorithm", "prefix", "known"),
    [("bpe", True, True), ("bpe", False, True), ("unigram", True, True), ("bpe", True, False)],
    ids=["BPE", "BPE with an added token", "Unigram", "a layout that is not known"],
)
@settings(max_examples=15)
@given(texts=st.lists(TEXT, min_size=1, max_size=4))
def test_units_of_sentencepiece_are_those_of_the_library(
    algorithm: str, prefix: bool, known: bool, texts: list[str]
) -> None:
    base = sentencepiece(algorithm, prefix, known)
    assert (compiled(base) is not None) is known
    counter = UnitCounter(base, list[pa.RecordBatch]().append)
    counter.add(pa.array(texts, pa.large_string()))
    assert counter.take() == to_batch(counted_slowly(texts, base))


@settings(max_examples=30)
@given(st.lists(TEXT, min_size=1, max_size=6), st.integers(1, 5))
def test_however_often_the_memory_is_full_the_counts_add_up(gpt2: ByteBpe, texts: list[str], most: int) -> None:
    spilled: list[pa.RecordBatch] = []
    counter = UnitCounter(gpt2, spilled.append, most)
    counter.add(pa.array(texts, pa.large_string()))
    spilled.append(counter.take())
    total: Counter[bytes] = Counter()
    for batch in spilled:
        units = batch.column("unit").to_pylist()
        assert units == sorted(set(units))
        assert len(units) <= most
        total.update(dict(zip(units, batch.column("count").to_pylist(), strict=True)))
    assert total == count_units(texts, gpt2)


def test_no_run_crosses_a_morpheme_boundary(base: ByteBpe) -> None:
    text = "品質保証課が点検の結果を記入する"
    cuts = morpheme_cuts(text)
    content = text.encode()
    for unit in count_units([text], base):
        piece = b"".join(base.bytes_of[number] for number in unpack_unit(unit))
        start = content.index(piece)
        assert not any(cut in cuts for cut in range(start + 1, start + len(piece)))


def test_only_runs_with_japanese_are_counted(base: ByteBpe) -> None:
    assert count_units(["Check the valve and the hose."], base) == {}
    assert sum(count_units(["点検と点検", "点検"], base).values()) >= 3


def test_the_batch_does_not_depend_on_the_order_of_counting(base: ByteBpe) -> None:
    texts = ["点検表に記入する", "電源を切る", "弁を閉じる"]
    assert to_batch(count_units(texts, base)).equals(to_batch(count_units(reversed(texts), base)))
