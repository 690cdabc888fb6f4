"""Letters, sentences and paragraphs as Swallow Corpus v1 measures them.

Shapes: N documents, C counts.
"""

from __future__ import annotations

import numpy as np

from corpus.batch import Batch, utf8_of
from corpus.kernels import sentences as count
from corpus.kernels.utf8 import Float64, Int64
from corpus.measures.registry import Columns, measures


def _of_nothing_zero(part_N: Int64, whole_N: Int64) -> Float64:
    """part / whole, and 0 where the whole is nothing: so published."""
    return np.where(whole_N > 0, part_N / np.maximum(whole_N, 1), 0.0)


@measures(
    "text_characters",
    "swallow_japanese_characters",
    "swallow_japanese_share",
    "swallow_hiragana_share",
    "swallow_katakana_share",
    "repeated_paragraph_share",
    "repeated_paragraph_character_share",
    "repeated_sentence_share",
    "repeated_sentence_character_share",
    "characters_per_sentence",
    "longest_sentence",
    "ellipsis_sentence_share",
    source="Swallow Corpus v1 (arXiv:2404.17733), quality.py",
)
def sentence_measures(batch: Batch) -> Columns:
    """Lengths, script shares, and repeated paragraphs and sentences.

    Returns:
        text_characters: all of them, spaces and newlines too. swallow_japanese_characters: kana, kanji of the basic
        plane, 、，。．！？. swallow_japanese_share: these of all; swallow_hiragana_share, swallow_katakana_share: of
        these, without ー and ・. repeated_*_share: paragraphs (lines, empty ones too) or sentences that stood before,
        of all, and by characters. longest_sentence: in characters, null without a sentence. ellipsis_sentence_share:
        of sentences, those that end in ・ or ….
    """
    counts_NC = count.count_sentences(*utf8_of(batch.column("text")))
    column = counts_NC.T
    japanese_N = column[count.HIRAGANA : count.FULL_STOPS + 1].sum(axis=0)
    sentences_N, characters_N = column[count.SENTENCES], column[count.SENTENCE_CHARACTERS]
    return {
        "text_characters": column[count.CHARACTERS].astype(np.float64),
        "swallow_japanese_characters": japanese_N.astype(np.float64),
        "swallow_japanese_share": _of_nothing_zero(japanese_N, column[count.CHARACTERS]),
        "swallow_hiragana_share": _of_nothing_zero(column[count.HIRAGANA], japanese_N),
        "swallow_katakana_share": _of_nothing_zero(column[count.KATAKANA], japanese_N),
        "repeated_paragraph_share": _of_nothing_zero(column[count.REPEATED_PARAGRAPHS], column[count.PARAGRAPHS]),
        "repeated_paragraph_character_share": _of_nothing_zero(
            column[count.REPEATED_PARAGRAPH_CHARACTERS], characters_N
        ),
        "repeated_sentence_share": _of_nothing_zero(column[count.REPEATED_SENTENCES], sentences_N),
        "repeated_sentence_character_share": _of_nothing_zero(column[count.REPEATED_SENTENCE_CHARACTERS], characters_N),
        "characters_per_sentence": _of_nothing_zero(characters_N, sentences_N),
        "longest_sentence": np.where(sentences_N > 0, column[count.LONGEST_SENTENCE], np.nan),
        "ellipsis_sentence_share": _of_nothing_zero(column[count.ELLIPSIS_SENTENCES], sentences_N),
    }
