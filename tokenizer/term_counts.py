"""How often terms stand in text, exactly, by Aho-Corasick: one pass however many there are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from ahocorasick_rs import AhoCorasick


class TermCounter:
    """Counts terms: each stands wherever its characters do, inside other words and inside other terms too.

    >>> counter = TermCounter(["制御盤", "御"])
    >>> counter.add(["制御盤の制御"])
    >>> counter.counts
    [1, 2]
    """

    def __init__(self, terms: Sequence[str]) -> None:
        self._find = AhoCorasick(list(terms))
        self._counts: Counter[int] = Counter()
        self._terms = len(terms)

    def add(self, texts: Iterable[str]) -> None:
        """Count in texts."""
        for text in texts:
            self._counts.update(term for term, _, _ in self._find.find_matches_as_indexes(text, overlapping=True))

    @property
    def counts(self) -> list[int]:
        """Of each term, in their order."""
        return [self._counts[term] for term in range(self._terms)]
