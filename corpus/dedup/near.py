"""Which documents go because a kept one resembles them.

Documents are taken in order of preference; one goes if, and only if, it is verified to resemble a *kept* one. A
chain A ~ B ~ C in which A and C differ therefore keeps C: nothing goes that resembles no survivor.

Shapes: N documents, K values of a signature.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
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
    content_N: Sequence[bytes],
    signature_NK: UInt32,
    texts_of: Callable[[Sequence[int]], Sequence[str]],
    settings: Dedup,
) -> Verdict:
    """Decide on documents that stand in the order of preference.

    Args:
        content_N: a digest of each text.
        texts_of: gives the texts of some rows, for verification.
    """
    rows = len(content_N)
    clusters = Clusters(rows)
    exact_N = _exact(content_N, clusters)
    unique = np.flatnonzero(exact_N == STAYS)
    groups = [unique[group] for group in groups_of(hash_bands(signature_NK[unique], settings.bands, settings.rows))]
    near_N = _near(rows, groups, texts_of, settings.threshold, clusters)
    # A copy of what goes has no kept document with the same text, only one that resembles it.
    copies = np.flatnonzero(exact_N != STAYS)
    copies = copies[near_N[exact_N[copies]] != STAYS]
    near_N[copies], exact_N[copies] = near_N[exact_N[copies]], STAYS
    _link(groups, signature_NK, settings.threshold, clusters)
    return Verdict(exact_N, near_N, clusters.labels())


def _exact(content_N: Sequence[bytes], clusters: Clusters) -> Int64:
    first: dict[bytes, int] = {}
    exact_N = np.full(len(content_N), STAYS, np.int64)
    for row, content in enumerate(content_N):
        kept = first.setdefault(content, row)
        if kept != row:
            exact_N[row] = kept
            clusters.join(kept, row)
    return exact_N


def _near(
    rows: int,
    groups: Sequence[Int64],
    texts_of: Callable[[Sequence[int]], Sequence[str]],
    threshold: float,
    clusters: Clusters,
) -> Int64:
    near_N = np.full(rows, STAYS, np.int64)
    groups_by_row: dict[int, list[int]] = defaultdict(list)
    for number, group in enumerate(groups):
        for row in group.tolist():
            groups_by_row[row].append(number)
    shingles = _shingles(sorted(groups_by_row), texts_of)
    kept_in_group: dict[int, list[int]] = defaultdict(list)
    for row in sorted(groups_by_row):
        candidates = sorted({kept for number in groups_by_row[row] for kept in kept_in_group[number]})
        survivor = next((kept for kept in candidates if similar(shingles[kept], shingles[row], threshold)), None)
        if survivor is not None:
            near_N[row] = survivor
            clusters.join(survivor, row)
            continue
        for number in groups_by_row[row]:
            kept_in_group[number].append(row)
    return near_N


def _shingles(rows: Sequence[int], texts_of: Callable[[Sequence[int]], Sequence[str]]) -> dict[int, Shingles]:
    return {row: Shingles.of(text) for row, text in zip(rows, texts_of(rows), strict=True)}


def _link(groups: Sequence[Int64], signature_NK: UInt32, threshold: float, clusters: Clusters) -> None:
    """Join what resembles a dropped document too, by its signature: the held-out split must not cut a chain."""
    for group in groups:
        first = int(group[0])
        alike = (signature_NK[group[1:]] == signature_NK[first]).mean(axis=1) >= threshold
        for row in group[1:][alike].tolist():
            clusters.join(first, row)
