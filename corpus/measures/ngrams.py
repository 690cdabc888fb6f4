"""Repetition by character n-grams.

Shapes: N documents, F values of n.
"""

from __future__ import annotations

import numpy as np

from corpus.batch import Batch, utf8_of
from corpus.kernels.ngrams import count_ngrams
from corpus.measures.registry import Columns, measures
from corpus.measures.script import share

_TOP, _REPEATED = (2, 3, 4), (5, 6, 7, 8, 9, 10)


@measures(
    *(f"top_{n}gram_share" for n in _TOP),
    *(f"repeated_{n}gram_share" for n in _REPEATED),
    source="Swallow Corpus v1 (arXiv:2404.17733), quality.py: of places, and of different n-grams; Gopher's "
    "(arXiv:2112.11446) are shares of characters",
)
def ngram_measures(batch: Batch) -> Columns:
    """Character n-grams, spaces and newlines included.

    Returns:
        top_Ngram_share: occurrences of the most frequent n-gram, of all places; null
        for a document shorter than n. repeated_Ngram_share: n-grams that
        occur more than once, of all different ones; 0 for a document shorter than n, as published.
    """
    counts = count_ngrams(*utf8_of(batch.column("text")), max(_REPEATED))
    top = {f"top_{n}gram_share": share(counts.most_NF[:, n - 2], counts.characters_N - n + 1) for n in _TOP}
    repeated = {
        f"repeated_{n}gram_share": counts.again_NF[:, n - 2] / np.maximum(counts.different_NF[:, n - 2], 1)
        for n in _REPEATED
    }
    return top | repeated
