"""Shares of scripts and of broken characters.

Shapes: N documents, C character classes.
"""

from __future__ import annotations

import numpy as np

from corpus.batch import Batch, utf8_of
from corpus.kernels.classes import (
    DIGIT,
    ELLIPSIS,
    FULL_STOP,
    HIRAGANA,
    KANJI,
    KATAKANA,
    LATIN,
    MOJIBAKE,
    NEWLINE,
    REPLACEMENT,
    SPACE,
    count_classes,
)
from corpus.kernels.utf8 import Float64, Int64
from corpus.measures.registry import Columns, measures


def share(part_N: Int64, whole_N: Int64) -> Float64:
    """part / whole, NaN where the whole is nothing."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(whole_N > 0, part_N / whole_N, np.nan)


@measures(
    "characters",
    "japanese_share",
    "hiragana_share",
    "katakana_share",
    "letter_share",
    "digit_share",
    "full_stops_per_100",
    "ellipsis_share",
    "replacement_share",
    "mojibake_share",
    source="script shares as in Swallow Corpus v1 (arXiv:2404.17733), quality.py; the others are tsugiki's",
    when="always",
)
def script_shares(batch: Batch) -> Columns:
    """Characters without spaces and newlines, and shares of them.

    Returns:
        characters: count. japanese_share: kana and kanji of all. hiragana_share, katakana_share: of the Japanese
        ones. letter_share: kana, kanji and Latin letters of all. digit_share, ellipsis_share: of all.
        full_stops_per_100: sentence ends per 100 characters. replacement_share, mojibake_share: characters of all
        that say that the text was once decoded wrongly.
    """
    counts_NC = count_classes(*utf8_of(batch.column("text")))
    characters_N = counts_NC.sum(axis=1) - counts_NC[:, SPACE] - counts_NC[:, NEWLINE]
    japanese_N = counts_NC[:, HIRAGANA] + counts_NC[:, KATAKANA] + counts_NC[:, KANJI]
    return {
        "characters": characters_N.astype(np.float64),
        "japanese_share": share(japanese_N, characters_N),
        "hiragana_share": share(counts_NC[:, HIRAGANA], japanese_N),
        "katakana_share": share(counts_NC[:, KATAKANA], japanese_N),
        "letter_share": share(japanese_N + counts_NC[:, LATIN], characters_N),
        "digit_share": share(counts_NC[:, DIGIT], characters_N),
        "full_stops_per_100": 100 * share(counts_NC[:, FULL_STOP], characters_N),
        "ellipsis_share": share(counts_NC[:, ELLIPSIS], characters_N),
        "replacement_share": share(counts_NC[:, REPLACEMENT], characters_N),
        "mojibake_share": share(counts_NC[:, MOJIBAKE], characters_N),
    }
