"""The preset swallow-v1 decides as a plain reading of the published definition does, document by document."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.schema.corpus import Normalise
from configs.schema.preset import load_preset
from corpus.batch import Batch, BatchBuilder
from corpus.judge import judge
from corpus.normalise.step import normalise
from corpus.rules import check_preset, reason_words
from corpus.tally import Tally
from tests.corpus.reference_swallow import first_reason
from tests.corpus.shared_texts import all_texts, some_texts

SWALLOW = load_preset("swallow-v1")


def batch(texts: Iterable[str]) -> Batch:
    """Normalised as the preset says."""
    builder = BatchBuilder("web", "a", "", "ja")
    for position, text in enumerate(texts):
        builder.add(text, position, "utf-8")
    taken = builder.take()
    assert taken is not None
    return normalise(taken, SWALLOW.steps, Normalise(), Tally())


def reasons(documents: Batch) -> list[str | None]:
    """Decided by the preset."""
    return reason_words(judge(documents, SWALLOW.rules)[1], SWALLOW.rules)


def test_the_preset_uses_what_exists() -> None:
    check_preset(SWALLOW, "swallow-v1")


def test_a_sample_of_the_shared_corpus_is_decided_as_published() -> None:
    documents = batch(some_texts(200))
    assert reasons(documents) == [first_reason(text) for text in documents.column("text").to_pylist()]


@pytest.mark.soak
@pytest.mark.timeout(3 * 3600)
def test_all_of_the_shared_corpus_is_decided_as_published() -> None:
    texts = all_texts()
    while some := list(islice(texts, 1000)):
        documents = batch(some)
        assert reasons(documents) == [first_reason(text) for text in documents.column("text").to_pylist()]


SENTENCES = [f"第{n}号機の{part}は{where}点検して、結果を台帳に記録する。" for n in range(9) for part, where in
             (("ポンプ", "夜勤の間に"), ("送り弁", "出荷の前に"), ("圧力計", "月曜の朝に"))]  # fmt: skip


@given(
    st.lists(
        st.sampled_from([*SENTENCES, "…", "・\n", "！", "あいう。", "a b\n", "\n", "カナ", " \u3000…"]), max_size=60
    )
)
def test_texts_around_the_bounds_are_decided_as_published(pieces: list[str]) -> None:
    text = "".join(pieces)
    if text:
        assert reasons(batch([text]))[0] == first_reason(batch([text]).column("text")[0].as_py())


def test_other_languages_are_not_judged(batch_of: Callable[..., Batch]) -> None:
    assert reasons(batch_of("Short.", language="en")) == [None]
