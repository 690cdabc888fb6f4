"""The held-out split: documents that are never trained on.

By hash of the duplicate cluster, so that it does not depend on what else is in the corpus or on its order, and no
near-copy of a held-out document is trained on.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterable

from configs.schema.corpus import HeldOut


def chosen_places(places: Iterable[float], settings: HeldOut) -> list[float]:
    """The places of documents that may be held out, ascending; no more than tell where the bound is."""
    return heapq.nsmallest(settings.max_documents + 1, (place for place in places if place < settings.share))


def held_out_bound(places: Iterable[float], settings: HeldOut) -> float:
    """The place below which the kept documents of one source are held out.

    Args:
        places: of all of them, or those that `chosen_places` gives of each part of them; read once.
    """
    chosen = chosen_places(places, settings)
    # Documents of one cluster have one place and so go together, or stay together where they would be too many.
    return chosen[settings.max_documents] if len(chosen) > settings.max_documents else settings.share


def held_out_place(seed: int, cluster: str) -> float:
    """A number from 0 to 1 that depends on the seed and the cluster only."""
    return int(hashlib.sha256(f"held out\0{seed}\0{cluster}".encode()).hexdigest()[:13], 16) / 16**13
