"""Which documents may be similar: those that agree in all values of one band.

Shapes: N documents, K values of a signature, B bands.
"""

from __future__ import annotations

import numpy as np

from corpus.kernels.compile import kernel
from corpus.kernels.shingles import UInt32
from corpus.kernels.utf8 import Int64, UInt64, mixed


@kernel
def _hash_bands(signature_NK: UInt32, rows: int, hash_BN: UInt64) -> None:
    for n in range(signature_NK.shape[0]):
        for band in range(hash_BN.shape[0]):
            state = np.uint64(band)
            for row in range(rows):
                state = mixed(state ^ np.uint64(signature_NK[n, band * rows + row]))
            hash_BN[band, n] = state


def hash_bands(signature_NK: UInt32, bands: int, rows: int) -> UInt64:
    """One hash per band and document.

    Returns:
        uint64, (B, N).
    """
    hash_BN = np.empty((bands, signature_NK.shape[0]), np.uint64)
    _hash_bands(signature_NK, rows, hash_BN)
    return hash_BN


def groups_of(hash_BN: UInt64) -> list[Int64]:
    """Documents that share a band, as ascending row numbers; groups of one are left out.

    The result does not depend on the order of equal hashes.
    """
    groups: list[Int64] = []
    for hash_N in hash_BN:
        order = np.argsort(hash_N, kind="stable")
        edges = np.flatnonzero(np.diff(hash_N[order])) + 1
        groups += [group for group in np.split(order, edges) if group.size > 1]
    return groups
