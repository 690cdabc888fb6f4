"""The language of a text, by a model that comes with a package: nothing is downloaded.

Shapes: N documents.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from corpus.batch import Batch
from corpus.measures.registry import Columns, measures

_LOOKED_AT = 2_000
"""Characters: a few lines are enough, and the probability of a page is 0 or 1 to the last digit."""


@measures(
    "japanese_probability",
    source="py3langid 0.4: naive Bayes over byte n-grams (Lui and Baldwin, langid.py, ACL 2012), 97 languages",
    when="undecided",
)
def japanese_probability(batch: Batch) -> Columns:
    """How probable it is that the first 2,000 characters are Japanese; null of a text without visible characters."""
    return {"japanese_probability": np.array([_of(text) for text in batch.column("text").to_pylist()], np.float64)}


def _of(text: str) -> float:
    if not text.strip():
        return np.nan
    return float(dict(_identifier().rank(text[:_LOOKED_AT]))["ja"])


@lru_cache(maxsize=1)
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
