"""Lines and words as FineWeb2's Japanese filters measure them, words cut by fugashi.

Source of every definition: FineWeb2's pipeline and datatrove 0.10 (GopherRepetitionFilter, FineWebQualityFilter,
GopherQualityFilter). Words are UniDic's short units; FineWeb2 takes Sudachi's.

Shapes: N documents.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
import regex  # type: ignore[import-untyped]  # ships no types

from corpus.batch import Batch
from corpus.measures.morphemes import cut
from corpus.measures.registry import Columns, measures

_ENDS = regex.compile(r"\p{Sentence_Terminal}")
_SIGNS = frozenset("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~«´»–—’“”„…∶━►、。〈〉《》「」【】！％（），．１：；？～") | {
    chr(point) for point in (*range(32), *range(127, 160)) if point != 10
}
_STOP_WORDS = frozenset("のにをはたてがとで年し・月れさ")
_TOP, _REPEATED = (2, 3, 4), (5, 6, 7, 8, 9, 10)

_LINES = ("repeated_filled_line_share", "ended_line_share", "repeated_line_characters_share")
_WORDS = (
    *(f"top_{n}word_share" for n in _TOP),
    *(f"repeated_{n}word_character_share" for n in _REPEATED),
    "newlines_per_word",
    "words",
    "characters_per_word",
    "hashes_per_word",
    "ellipses_per_word",
    "bullet_line_share",
    "ellipsis_end_line_share",
    "alphabetic_word_share",
    "stop_words",
)


# In one pass, although lines cost little: which rule takes the blame would else depend on what is measured first.
@measures(*_LINES, *_WORDS, source="FineWeb2, jpn_Jpan.yml; datatrove 0.10", when="undecided")
def line_and_word_measures(batch: Batch) -> Columns:
    """Lines, and the words that fugashi cuts.

    Returns:
        repeated_filled_line_share: lines that stood before, of those between runs of newlines. ended_line_share: lines
        that end a sentence; repeated_line_characters_share: characters of lines that stood before; both of lines that
        are not blank. top_Nword_share, repeated_Nword_character_share: characters in word n-grams, of the text's.
        words, characters_per_word: without words of signs alone. stop_words: different ones. Null where there is no
        line, or no word.
    """
    texts = batch.column("text").to_pylist()
    rows = np.array([(*_of_lines(text), *_of_words(text)) for text in texts], np.float64)
    return dict(zip((*_LINES, *_WORDS), rows.reshape(-1, len(_LINES) + len(_WORDS)).T, strict=True))


def _again(lines: Sequence[str]) -> tuple[int, int]:
    seen = Counter(lines)
    return len(lines) - len(seen), sum(len(line) * (count - 1) for line, count in seen.items())


def _of_lines(text: str) -> tuple[float, ...]:
    between = re.split("\n+", text)
    filled = [line for line in text.split("\n") if line.strip()]
    if not filled:
        return np.nan, np.nan, np.nan
    ended = sum(bool(_ENDS.match(line, len(line) - 1)) for line in filled)
    characters = len(text) - text.count("\n")
    return _again(between)[0] / len(between), ended / len(filled), _again(filled)[1] / characters


def _of_words(text: str) -> tuple[float, ...]:
    words = cut(text)
    if not words:
        return (np.nan,) * len(_WORDS)
    lines = text.splitlines()
    ends = [line.rstrip() for line in lines]
    real = [len(word) for word in words if not _SIGNS.issuperset(word)]
    return (
        *(_top(words, n) / len(text) for n in _TOP),
        *(_repeated(words, n) / len(text) for n in _REPEATED),
        text.count("\n") / len(words),
        len(real),
        sum(real) / len(real) if real else np.nan,
        text.count("#") / len(words),
        (text.count("...") + text.count("…")) / len(words),
        sum(line.lstrip().startswith(("•", "-")) for line in lines) / len(lines),
        sum(line.endswith(("...", "…")) for line in ends) / len(lines),
        sum(any(one.isalpha() for one in word) for word in words) / len(words),
        len(_STOP_WORDS.intersection(words)),
    )


def _top(words: Sequence[str], n: int) -> int:
    """Characters in all places of the most frequent n-gram, spaces between its words; of several the first."""
    counts = Counter(zip(*(words[at:] for at in range(n)), strict=False))
    if not counts:
        return 0
    gram, count = counts.most_common(1)[0]
    return (sum(map(len, gram)) + n - 1) * count


def _repeated(words: Sequence[str], n: int) -> int:
    """Characters in n-grams that stood before, from left to right, none counted twice."""
    whole = "".join(words)
    starts = np.cumsum([0, *map(len, words)]).tolist()
    seen: set[str] = set()
    characters, at = 0, 0
    while at + n <= len(words):
        gram = whole[starts[at] : starts[at + n]]
        if gram in seen:
            characters += len(gram)
            at += n
        else:
            seen.add(gram)
            at += 1
    return characters
