"""Lines: how many, and how many of them again.

Shapes: N documents.
"""

from __future__ import annotations

import numpy as np

from corpus.batch import Batch, utf8_of
from corpus.kernels.lines import hash_lines, repeated_line_share
from corpus.measures.registry import Columns, measures
from corpus.measures.script import share


@measures(
    "lines",
    "characters_per_line",
    "repeated_line_share",
    source="repeated lines by characters as in Gopher (arXiv:2112.11446), table A1, with spaces ignored",
    when="always",
)
def line_measures(batch: Batch) -> Columns:
    """Lines with characters; characters of each on average; share of characters in lines that stood before."""
    first_N1, hash_L, characters_L = hash_lines(*utf8_of(batch.column("text")))
    filled_N = np.add.reduceat(characters_L > 0, first_N1[:-1]) if len(first_N1) > 1 else np.empty(0, np.int64)
    characters_N = np.add.reduceat(characters_L, first_N1[:-1]) if len(first_N1) > 1 else np.empty(0, np.int64)
    return {
        "lines": filled_N.astype(np.float64),
        "characters_per_line": share(characters_N, filled_N),
        "repeated_line_share": repeated_line_share(first_N1, hash_L, characters_L),
    }
