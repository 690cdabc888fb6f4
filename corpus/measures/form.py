"""Lines, full stops and runs as llm-jp-corpus v1 and HojiChar measure them.

Shapes: N documents.
"""

from __future__ import annotations

import numpy as np

from corpus.batch import Batch, utf8_of
from corpus.kernels import form as count
from corpus.measures.registry import Columns, measures


@measures(
    "visible_characters",
    "characters_per_full_stop",
    "kana_in_first_50",
    "longest_character_run",
    "ellipsis_line_share",
    "short_line_share",
    source="HojiChar 0.18 (document_filters.py): AcceptJapanese, DiscardRareKuten, SingleCharacterRepetitionFilter, "
    "DiscardTooManyEndingEllipsis, DiscardTooShortLines; llm-jp-corpus v1 (scripts/filters.py)",
)
def form_measures(batch: Batch) -> Columns:
    """The form of the text.

    Returns:
        visible_characters: all but spaces of any kind. characters_per_full_stop: characters for each 。, infinite
        without one, null of an empty text. kana_in_first_50: of the first 50 characters. longest_character_run: equal
        characters in a row. ellipsis_line_share: newlines after … or ..., of all. short_line_share: lines of at most
        ten characters, of all.
    """
    column = count.count_form(*utf8_of(batch.column("text"))).T.astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        per_full_stop_N = column[count.CHARACTERS] / column[count.FULL_STOPS]
    return {
        "visible_characters": column[count.VISIBLE],
        "characters_per_full_stop": per_full_stop_N,
        "kana_in_first_50": column[count.EARLY_KANA],
        "longest_character_run": column[count.LONGEST_RUN],
        "ellipsis_line_share": column[count.ELLIPSIS_LINES] / np.maximum(column[count.NEWLINES], 1),
        "short_line_share": column[count.SHORT_LINES] / (column[count.NEWLINES] + 1),
    }
