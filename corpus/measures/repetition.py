"""Repetition and forum pages as HojiChar measures them.

Shapes: N documents.
"""

from __future__ import annotations

import re

import numpy as np

from corpus.batch import Batch, utf8_of
from corpus.kernels.ngrams import count_ngrams
from corpus.measures.registry import Columns, measures

_FORUM = re.compile(
    r"\d{4}[年.\-/] *\d{1,2}[月.\-/] *\d{1,2}日*|\d+話|\([月火水木金土日]\)|"
    "コメント|レビュー|投稿|ページ|質問|楽天市場|SOLD OUT|-"
)


@measures("frequent_5gram_share", source="HojiChar 0.18 (CharRepetitionRatioFilter), after BigScience's filtering.py")
def frequent_ngrams(batch: Batch) -> Columns:
    """Places of the most frequent character 5-grams, of all; so many of them as the root of how many different ones.

    Only 5-grams that occur again are taken; 0 for a document shorter than five characters.
    """
    counts = count_ngrams(*utf8_of(batch.column("text")), 5, frequent=True)
    return {"frequent_5gram_share": counts.frequent_N / np.maximum(counts.characters_N - 4, 1)}


@measures("forum_marks", source="HojiChar 0.18 (DiscardBBSComments)", when="undecided")
def forum_marks(batch: Batch) -> Columns:
    """Dates, weekdays in parentheses, numbers of episodes, hyphens, and the words of forums and shops."""
    texts = batch.column("text").to_pylist()
    return {"forum_marks": np.array([len(_FORUM.findall(text)) for text in texts], np.float64)}
