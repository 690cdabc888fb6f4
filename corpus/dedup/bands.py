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
    """Sets of documents that share a band, as ascending row numbers, each set once; those of one are left out.

    Near-copies agree in many bands, and one is enough. The result does not depend on the order of equal hashes.
    """
    rows = hash_BN.shape[1]
    groups: list[Int64] = []
    seen: set[int] = set()
    name_N = _names(rows)
    for hash_N in hash_BN:
        order = np.argsort(hash_N, kind="stable")
        bounds = np.concatenate(([0], np.flatnonzero(np.diff(hash_N[order])) + 1, [rows])) if rows else np.zeros(1, int)
        several = np.flatnonzero(np.diff(bounds) > 1)
        # The sum of its rows' hashes names a set, whatever their order.
        sums = np.concatenate((np.zeros(1, np.uint64), np.cumsum(name_N[order])))
        starts, ends = bounds[several], bounds[several + 1]
        for start, end, name in zip(starts.tolist(), ends.tolist(), (sums[ends] - sums[starts]).tolist(), strict=True):
            if name not in seen:
                seen.add(name)
                groups.append(order[start:end])
    return groups


@kernel
def _mix_rows(name_N: UInt64) -> None:
    for n in range(name_N.size):
        name_N[n] = mixed(np.uint64(n + 1))


def _names(rows: int) -> UInt64:
    name_N = np.empty(rows, np.uint64)
    _mix_rows(name_N)
    return name_N
