"""How many of the labelled spans are found, and how many of the found ones are labelled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa

from benchmarks.personal_text.labelled import Labelled
from corpus.mask.find import KINDS, Span, find_spans

LOOSE = frozenset({"name", "address"})
"""Kinds whose ends people would draw differently; the others must be found to the character."""
_ALIKE = 0.8
"""Characters in both spans, of those in either, from which on a loose one is found."""


@dataclass(frozen=True)
class Score:
    """Of one kind."""

    labelled: int
    found: int
    right: int

    @property
    def recall(self) -> float:
        """Share of the labelled that were found."""
        return self.right / self.labelled

    @property
    def precision(self) -> float:
        """Share of the found that are labelled."""
        return self.right / self.found if self.found else 0.0


def scores(sentences: Iterable[Labelled]) -> dict[str, Score]:
    """The score of every kind that is labelled, with all kinds looked for at once."""
    cases = list(sentences)
    texts = pa.array([case.text for case in cases], type=pa.large_string())
    by_row = find_spans(texts, [kind.name for kind in KINDS])
    labelled, found, right = Counter[str](), Counter[str](), Counter[str]()
    for row, case in enumerate(cases):
        spans = by_row.get(row, [])
        labelled.update(span.kind for span in case.spans)
        found.update(span.kind for span in spans)
        right.update(truth.kind for truth in case.spans if any(same(truth, span) for span in spans))
    return {kind: Score(labelled[kind], found[kind], right[kind]) for kind in labelled}


def same(truth: Span, span: Span) -> bool:
    """Whether what was found is what was labelled."""
    if truth.kind != span.kind:
        return False
    if truth.kind not in LOOSE:
        return truth == span
    common = min(truth.end, span.end) - max(truth.start, span.start)
    return common >= _ALIKE * (max(truth.end, span.end) - min(truth.start, span.start))
