"""Words as fugashi cuts them, with UniDic's parts of speech.

Shapes: N documents.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np

from corpus.batch import Batch
from corpus.measures.registry import Columns, measures

_WORDS = 7
_AT_ONCE = 100_000
"""Characters: MeCab keeps the whole lattice, and breaks down on books; a longer text is cut behind a newline."""


@measures(
    "noun_share",
    "repeated_7word_share",
    source="HojiChar 0.18 (DiscardTooManyNouns, WordRepetitionRatioFilter), with UniDic",
    when="undecided",
)
def morphemes(batch: Batch) -> Columns:
    """Nouns among the morphemes, signs left out; and places whose 7-gram of morphemes occurs again, of all places.

    0 where there is no morpheme, or there are fewer than seven, as published.
    """
    found = [_of(text) for text in batch.column("text").to_pylist()]
    noun_N, repeated_N = np.array(found, np.float64).reshape(-1, 2).T
    return {"noun_share": noun_N, "repeated_7word_share": repeated_N}


def _of(text: str) -> tuple[float, float]:
    words, kinds = [], Counter[str]()
    for morpheme in _parsed(text):
        words.append(morpheme.surface)
        kinds[morpheme.feature.pos1] += 1
    del kinds["補助記号"]
    counts = Counter(tuple(words[at : at + _WORDS]) for at in range(len(words) - _WORDS + 1)).values()
    repeated = sum(count for count in counts if count > 1) / sum(counts) if counts else 0.0
    return kinds["名詞"] / kinds.total() if kinds.total() else 0.0, repeated


def cut(text: str) -> list[str]:
    """The morphemes of a text as they are written, spaces left out."""
    return [morpheme.surface for morpheme in _parsed(text)]


def _parsed(text: str) -> Iterator[Any]:
    for part in _parts(text):
        yield from _tagger()(part)


def _parts(text: str) -> Iterator[str]:
    start = 0
    while len(text) - start > _AT_ONCE:
        end = text.rfind("\n", start, start + _AT_ONCE) + 1 or start + _AT_ONCE
        yield text[start:end]
        start = end
    yield text[start:]


@lru_cache(maxsize=1)
def _tagger() -> Any:
    from fugashi import Tagger

    return Tagger("-Owakati")
