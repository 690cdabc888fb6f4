"""Which documents go because a kept one resembles them.

Documents are taken in order of preference; one goes if, and only if, it is verified to resemble a *kept* one. A
chain A ~ B ~ C in which A and C differ therefore keeps C: nothing goes that resembles no survivor.

Shapes: N documents, K values of a signature.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from configs.schema.dedup import Dedup
from corpus.dedup.bands import groups_of, hash_bands
from corpus.dedup.clusters import Clusters
from corpus.dedup.similar import Shingles, similar
from corpus.kernels.shingles import UInt32
from corpus.kernels.utf8 import Int64

STAYS = -1


@dataclass(frozen=True)
class Verdict:
    """What deduplication found."""

    exact_N: Int64
    """Row of the kept document with the same text, or STAYS."""
    near_N: Int64
    """Row of the kept document it is verified to resemble, or STAYS."""
    cluster_N: Int64
    """Smallest row among the documents it is linked to, also through dropped ones."""


def deduplicate(
    content_N: Sequence[bytes | None],
    signature_NK: UInt32,
    texts: Iterable[bytes | None],
    settings: Dedup,
    fixed: int = 0,
) -> Verdict:
    """Decide on documents that stand in the order of preference.

    Args:
        content_N: a digest of each text; none where only the signature is known.
        texts: the UTF-8 of each row; none where only the signature is known. Read once, in order, and only those of
            kept documents that share a band are remembered, as shingles.
        fixed: so many rows, the first, stay in any case: an existing corpus.
    """
    groups = groups_of(hash_bands(signature_NK, settings.bands, settings.rows))
    clusters = Clusters(len(content_N))
    kept = _Kept(content_N, signature_NK, settings.threshold)
    survivor_N = _survivors(kept, texts, groups, len(content_N), fixed)
    exact_N = np.full(len(content_N), STAYS, np.int64)
    for row in np.flatnonzero(survivor_N != STAYS).tolist():
        survivor = int(survivor_N[row])
        clusters.join(survivor, row)
        if content_N[row] is not None and content_N[row] == content_N[survivor]:
            exact_N[row] = survivor
    _link(groups, signature_NK, settings.threshold, clusters)
    return Verdict(exact_N, np.where(exact_N == STAYS, survivor_N, STAYS), clusters.labels())


def least_estimate(threshold: float, values: int) -> float:
    """The share of equal values of two signatures from which on documents count as similar, without their texts.

    Two standard errors below the threshold: of the pairs that lie on it 98 of 100 are found.
    """
    return float(threshold - 2 * (threshold * (1 - threshold) / values) ** 0.5)


class _Kept:
    """What is kept so far, by the groups it is in."""

    def __init__(self, content_N: Sequence[bytes | None], signature_NK: UInt32, threshold: float) -> None:
        self._content_N, self._signature_NK, self._threshold = content_N, signature_NK, threshold
        self._least = least_estimate(threshold, signature_NK.shape[1])
        self._in_group: dict[int, list[int]] = defaultdict(list)
        self._shingles: dict[int, Shingles | None] = {}

    def add(self, row: int, shingles: Shingles | None, groups: Iterable[int]) -> None:
        self._shingles[row] = shingles
        for group in groups:
            self._in_group[group].append(row)

    def first_like(self, row: int, shingles: Shingles | None, groups: Iterable[int]) -> int:
        """The first kept row that resembles this one, or STAYS."""
        candidates = sorted({kept for group in groups for kept in self._in_group[group]})
        return next((kept for kept in candidates if self._alike(kept, row, shingles)), STAYS)

    def _alike(self, kept: int, row: int, shingles: Shingles | None) -> bool:
        content = self._content_N[row]
        if content is not None and content == self._content_N[kept]:
            return True
        other = self._shingles[kept]
        if other is not None and shingles is not None:
            return similar(other, shingles, self._threshold)
        return bool((self._signature_NK[kept] == self._signature_NK[row]).mean() >= self._least)


def _survivors(kept: _Kept, texts: Iterable[bytes | None], groups: Sequence[Int64], rows: int, fixed: int) -> Int64:
    survivor_N = np.full(rows, STAYS, np.int64)
    groups_by_row: dict[int, list[int]] = defaultdict(list)
    for number, group in enumerate(groups):
        for row in group.tolist():
            groups_by_row[row].append(number)
    for row, text in enumerate(texts):
        if row not in groups_by_row:
            continue
        shingles = None if text is None else Shingles(text)
        if row >= fixed:
            survivor_N[row] = kept.first_like(row, shingles, groups_by_row[row])
        if survivor_N[row] == STAYS:
            kept.add(row, shingles, groups_by_row[row])
    return survivor_N


def _link(groups: Sequence[Int64], signature_NK: UInt32, threshold: float, clusters: Clusters) -> None:
    """Join what resembles a dropped document too, by its signature: the held-out split must not cut a chain."""
    for group in groups:
        first = int(group[0])
        alike = (signature_NK[group[1:]] == signature_NK[first]).mean(axis=1) >= threshold
        for row in group[1:][alike].tolist():
            clusters.join(first, row)
