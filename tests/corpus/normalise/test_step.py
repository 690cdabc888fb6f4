"""The steps by name, in their order, and what each one changed."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.schema.corpus import Normalise
from configs.schema.preset import PRESETS, load_preset
from corpus.batch import Batch, BatchBuilder
from corpus.normalise.step import STEPS, normalise
from corpus.tally import Tally

LINE = "定量ポンプの点検では電源を"


def test_the_documents_each_step_changed_are_counted(batch_of: Callable[..., Batch]) -> None:
    tally = Tally()
    batch = normalise(batch_of("ﾎﾟﾝﾌﾟ ", "弁\u200b", "点検"), ["invisible", "nfkc", "space"], Normalise(), tally)
    assert batch.column("text").to_pylist() == ["ポンプ", "弁", "点検"]
    assert tally.counts == {"normalised.invisible": 1, "normalised.nfkc": 1, "normalised.space": 1}


def test_the_order_is_the_presets(batch_of: Callable[..., Batch]) -> None:
    # A comma that NFKC has made half-width is no longer a Japanese one.
    first = normalise(batch_of("弁，管．"), ["punctuation", "nfkc"], Normalise(), Tally())
    last = normalise(batch_of("弁，管．"), ["nfkc", "punctuation"], Normalise(), Tally())
    assert (first.column("text").to_pylist(), last.column("text").to_pylist()) == (["弁、管。"], ["弁,管."])


@given(
    st.lists(st.text("弁，．、。Ａ\u200b\r\n \u3000ｱ", max_size=12), min_size=1, max_size=4),
    st.permutations(list(STEPS)),
)
def test_passing_over_what_stays_the_same_changes_nothing(texts: list[str], order: list[str]) -> None:
    texts = [*texts, "\n".join([LINE * 2] * 4 + ["終わり"]), "\u200b\n".join([LINE * 2] * 4)]
    one_by_one = []
    for text in texts:
        for name in order:
            text = STEPS[name](text, Normalise())
        one_by_one.append(text)
    rows = BatchBuilder("s", "p", "", "ja")
    for row, text in enumerate(texts):
        rows.add(text, row, "utf-8")
    batch = rows.take()
    assert batch is not None
    assert normalise(batch, order, Normalise(), Tally()).column("text").to_pylist() == one_by_one


WRAPPED_CODE = "\n".join(f"value_{number:02d} = call(argument, 'ﾎﾟﾝﾌﾟ', another_argument){number}" for number in range(8))


def test_code_loses_what_is_invisible_and_keeps_its_lines_and_characters(batch_of: Callable[..., Batch]) -> None:
    steps = ["invisible", "punctuation", "unwrap", "nfkc", "space"]
    for language, stays in (("code", True), ("en", False)):
        batch = normalise(batch_of(WRAPPED_CODE + "\u200b  ", language=language), steps, Normalise(), Tally())
        assert (batch.column("text").to_pylist() == [WRAPPED_CODE]) == stays


def test_the_other_columns_stay_as_they_are(batch_of: Callable[..., Batch]) -> None:
    batch = batch_of("ﾎﾟﾝﾌﾟ", "弁", meta="{}")
    changed = normalise(batch, list(STEPS), Normalise(), Tally())
    assert changed.schema == batch.schema
    assert changed.drop_columns(["text"]) == batch.drop_columns(["text"])


def test_what_is_kept_is_the_run_files(batch_of: Callable[..., Batch]) -> None:
    texts = [
        normalise(batch_of("①（ア）"), ["nfkc"], Normalise(keep=keep), Tally()).column("text").to_pylist()[0]
        for keep in ("①", "（", "")
    ]
    assert texts == ["①(ア)", "1（ア)", "1(ア)"]


@pytest.mark.parametrize("name", sorted(path.stem for path in PRESETS.glob("*.yaml")))
def test_the_steps_of_shipped_presets_exist(name: str) -> None:
    assert set(load_preset(name).steps) <= set(STEPS)
