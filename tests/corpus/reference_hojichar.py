"""HojiChar's decision by its filters' defaults, slowly: what its document_filters.py says, read once more."""

from __future__ import annotations

import math
import re
from collections import Counter
from itertools import groupby

from fugashi import Tagger

TAGGER = Tagger("-Owakati")
DATE = r"\d{4}[年\.\-\/][ ]*\d{1,2}[月\.\-\/][ ]*\d{1,2}[日]*"
WORDS = r"コメント|SOLD OUT|レビュー|投稿|ページ|\([月火水木金土日]\)|質問|\d+話|楽天市場|-"
FORUM = re.compile(f"{DATE}|{WORDS}")


def first_reason(text: str) -> str | None:
    """The first filter that drops a text, None if it stays."""
    return _form(text) or _repetition(text) or _words(text)


def _form(text: str) -> str | None:
    if not re.search("[ぁ-んァ-ン]", text[:50]):
        return "no_kana_at_the_beginning"
    if text.count("。") < len(text) / 100:
        return "few_full_stops"
    if any(len(list(run)) >= 200 for _, run in groupby(text)):
        return "a_long_run"
    if len(re.findall(r"(?:\.{3}|…)\n", text)) / max(text.count("\n"), 1) > 0.7:
        return "cut_off_lines"
    lines = text.split("\n")
    return "short_lines" if sum(len(line) <= 10 for line in lines) / len(lines) > 0.5 else None


def _repetition(text: str) -> str | None:
    counts = sorted(Counter(text[at : at + 5] for at in range(len(text) - 4)).values(), reverse=True)
    taken = min(int(math.sqrt(len(counts))), sum(count > 1 for count in counts))
    if counts and sum(counts[:taken]) / sum(counts) >= 0.33:
        return "repeated_characters"
    return "forum" if len(FORUM.findall(text)) > 14 else None


def _words(text: str) -> str | None:
    morphemes = [(word.surface, word.feature.pos1) for word in TAGGER(text)]
    kinds = [kind for _, kind in morphemes if kind != "補助記号"]
    if kinds and kinds.count("名詞") / len(kinds) >= 0.80:
        return "too_many_nouns"
    words = [word for word, _ in morphemes]
    counts = Counter(" ".join(words[at : at + 7]) for at in range(len(words) - 6)).values()
    repeated = sum(count for count in counts if count > 1)
    return "repeated_words" if counts and repeated / sum(counts) >= 0.40 else None
