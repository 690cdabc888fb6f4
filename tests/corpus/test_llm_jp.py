"""The presets of llm-jp-corpus v1 decide as a plain reading of its filters does, document by document."""

from __future__ import annotations

from itertools import cycle, islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.schema.preset import Preset, load_preset
from corpus.batch import BatchBuilder
from corpus.judge import judge
from corpus.normalise.characters import remove_invisible
from corpus.rules import check_preset, reason_words
from tests.corpus.reference_llm_jp import first_reason
from tests.corpus.shared_texts import all_texts, some_texts

PRESETS = [
    pytest.param(load_preset(name), name.endswith("strict"), id=name) for name in ("llm-jp-v1", "llm-jp-v1-strict")
]
URLS = [
    None,
    *(f"https://{host}/a?b=c" for host in ("www.example.co.jp", "a.tokyo:8080", "JP", "example.cn", "co.jp.ru")),
]
URLS += ["https://ja.wikipedia.org/wiki/a", "http://ja.wikipedia.org/", "https://", "about:blank", "", "例え.jp"]


def decided(preset: Preset, texts: list[str], urls: list[str | None]) -> list[str | None]:
    """Reasons by the preset."""
    builder = BatchBuilder("web", "a", "", "ja")
    for position, (text, url) in enumerate(zip(texts, urls, strict=True)):
        builder.add(text, position, "utf-8", url=url)
    batch = builder.take()
    assert batch is not None
    return reason_words(judge(batch, preset.rules)[1], preset.rules)


@pytest.mark.parametrize(("preset", "strict"), PRESETS)
def test_a_sample_of_the_shared_corpus_is_decided_as_published(preset: Preset, strict: bool) -> None:
    check_preset(preset, "llm-jp-v1")
    texts = [remove_invisible(text) for text in some_texts(100)]
    urls = list(islice(cycle([None, None, None, *URLS]), len(texts)))
    plain = [first_reason(text, url, strict=strict) for text, url in zip(texts, urls, strict=True)]
    assert decided(preset, texts, urls) == plain
    assert set(plain) >= {None, "other_domain", "few_full_stops", "too_repetitive"}


@pytest.mark.soak
@pytest.mark.timeout(3 * 3600)
@pytest.mark.parametrize(("preset", "strict"), PRESETS)
def test_all_of_the_shared_corpus_is_decided_as_published(preset: Preset, strict: bool) -> None:
    texts = all_texts()
    while some := [remove_invisible(text) for text in islice(texts, 1000)]:
        assert decided(preset, some, [None] * len(some)) == [first_reason(text, None, strict=strict) for text in some]


@pytest.mark.parametrize(("preset", "strict"), PRESETS)
@given(text=st.text("あア漢a。 \n\u3000", max_size=90), times=st.integers(1, 9), url=st.sampled_from(URLS))
def test_texts_around_the_bounds_are_decided_as_published(
    preset: Preset, strict: bool, text: str, times: int, url: str | None
) -> None:
    assert decided(preset, [text * times], [url]) == [first_reason(text * times, url, strict=strict)]


@pytest.mark.parametrize(("characters", "kept"), [(250, True), (251, False)])
def test_a_full_stop_is_enough_for_250_characters(characters: int, kept: bool) -> None:
    text = "".join(chr(0x3041 + n % 80) for n in range(characters - 1)) + "。"
    assert (first_reason(text, None, strict=False) != "few_full_stops") == kept
    assert (decided(load_preset("llm-jp-v1"), [text], [None]) != ["few_full_stops"]) == kept
