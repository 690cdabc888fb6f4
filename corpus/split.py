"""The held-out split: documents that are never trained on.

By hash of the duplicate cluster, so that it does not depend on what else is in the corpus or on its order, and no
near-copy of a held-out document is trained on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from configs.schema.corpus import HeldOut


def held_out_bound(clusters: Iterable[str], seed: int, settings: HeldOut) -> float:
    """The place below which the kept documents of one source are held out.

    Args:
        clusters: for each document, the smallest document id of its cluster; read once.
    """
    places = (held_out_place(seed, cluster) for cluster in clusters)
    chosen = sorted(place for place in places if place < settings.share)
    # Documents of one cluster have one place and so go together, or stay together where they would be too many.
    return chosen[settings.max_documents] if len(chosen) > settings.max_documents else settings.share


def held_out_place(seed: int, cluster: str) -> float:
    """A number from 0 to 1 that depends on the seed and the cluster only."""
    return int(hashlib.sha256(f"held out\0{seed}\0{cluster}".encode()).hexdigest()[:13], 16) / 16**13
