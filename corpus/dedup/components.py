"""Sets of documents that are linked, however indirectly: nothing in one set can decide about another.

Four bytes of memory per document of the corpus. Shapes: N documents, M documents with a link.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from corpus.kernels.compile import kernel
from corpus.kernels.shingles import UInt32
from corpus.kernels.utf8 import Number, mixed


@kernel
def _root(parent_N: UInt32, row: Number) -> Number:
    while parent_N[row] != row:
        parent_N[row] = parent_N[parent_N[row]]
        row = parent_N[row]
    return row


@kernel
def _join(parent_N: UInt32, linked_N: np.ndarray, link_E2: UInt32) -> None:
    for e in range(link_E2.shape[0]):
        linked_N[link_E2[e, 0]] = True
        linked_N[link_E2[e, 1]] = True
        one = _root(parent_N, link_E2[e, 0])
        other = _root(parent_N, link_E2[e, 1])
        # The smaller number stands for the set, so the order of the links does not matter.
        if one < other:
            parent_N[other] = one
        else:
            parent_N[one] = other


@kernel
def _flatten(parent_N: UInt32) -> None:
    for row in range(parent_N.size):
        parent_N[row] = parent_N[parent_N[row]]


def components(documents: int, links: Iterable[UInt32]) -> tuple[UInt32, UInt32]:
    """Join what is linked.

    Returns:
        uint32 (M,): the documents that have a link, ascending; uint32 (M,): the smallest of each one's set.
    """
    parent_N = np.arange(documents, dtype=np.uint32)
    linked_N = np.zeros(documents, np.bool_)
    for link_E2 in links:
        _join(parent_N, linked_N, link_E2)
    _flatten(parent_N)
    document_M = np.flatnonzero(linked_N).astype(np.uint32)
    return document_M, parent_N[document_M]


@kernel
def _mix(root_M: UInt32, buckets: Number, bucket_M: UInt32) -> None:
    for m in range(root_M.size):
        bucket_M[m] = mixed(np.uint64(root_M[m])) % np.uint64(buckets)


def buckets_of(root_M: UInt32, buckets: int) -> UInt32:
    """In which bucket each set is worked on; whole sets, spread evenly.

    Returns:
        uint32, (M,).
    """
    bucket_M = np.empty(root_M.size, np.uint32)
    _mix(root_M, buckets, bucket_M)
    return bucket_M
