from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tokenizer.byte_bpe import ByteBpe
from tokenizer.units import count_units, morpheme_cuts, pack_unit, runs, to_batch, unpack_unit


@given(st.lists(st.integers(0, 2**32 - 1)))
def test_a_unit_comes_back(ids: list[int]) -> None:
    assert unpack_unit(pack_unit(ids)) == tuple(ids)


@given(st.lists(st.integers(0, 2**31), min_size=1), st.lists(st.integers(0, 2**31), min_size=1))
def test_units_sort_like_their_numbers(one: list[int], other: list[int]) -> None:
    assert (pack_unit(one) < pack_unit(other)) == (one < other)


def test_cuts_are_where_morphemes_begin() -> None:
    text = "点検を行う"
    assert sorted(morpheme_cuts(text))[:4] == [0, len("点検".encode()), len("点検を".encode()), len(text.encode())]


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_cuts_never_split_a_character(text: str) -> None:
    bounds = {len(text[:at].encode()) for at in range(len(text) + 1)}
    assert morpheme_cuts(text) - bounds <= {len(text.encode()) + 1}


def test_a_long_line_is_cut_like_its_parts() -> None:
    sentence = "弁を閉じて点検表に記入する。" * 200
    assert len(sentence) > 2000
    assert sorted(morpheme_cuts(sentence))[-1] == len(sentence.encode()) + 1


def test_runs_leave_out_only_tokens_that_straddle_a_boundary(base: ByteBpe) -> None:
    text = base.normalised("定量ポンプの点検では、電源を切る。\nCheck 12 valves.")
    joined = [number for run in runs(text, base) for number in run]
    straddling = len(base.encode(text)) - len(joined)
    assert 0 <= straddling <= 3


def test_no_run_crosses_a_morpheme_boundary(base: ByteBpe) -> None:
    text = "品質保証課が点検の結果を記入する"
    cuts = morpheme_cuts(text)
    at = 0
    content = text.encode()
    for run in runs(text, base):
        piece = b"".join(base.bytes_of[number] for number in run)
        start = content.index(piece, at)
        assert not any(cut in cuts for cut in range(start + 1, start + len(piece)))
        at = start + len(piece)


def test_only_runs_with_japanese_are_counted(base: ByteBpe) -> None:
    assert count_units(["Check the valve and the hose."], base) == {}
    counts = count_units(["点検と点検", "点検"], base)
    assert sum(counts.values()) >= 3
    assert all(any(byte >= 0x80 for number in unpack_unit(unit) for byte in base.bytes_of[number]) for unit in counts)


def test_the_batch_does_not_depend_on_the_order_of_counting(base: ByteBpe) -> None:
    texts = ["点検表に記入する", "電源を切る", "弁を閉じる"]
    assert to_batch(count_units(texts, base)).equals(to_batch(count_units(reversed(texts), base)))
