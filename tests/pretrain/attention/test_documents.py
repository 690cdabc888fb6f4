from __future__ import annotations

import torch
from hypothesis import given

from pretrain.attention.documents import Documents, Slice, slices
from tests.pretrain.attention.cases import any_documents


def test_what_a_rank_has_of_documents_is_cut_where_they_and_its_stretches_end() -> None:
    assert slices([0, 10, 30, 40], [(5, 12), (25, 40)]) == [
        Slice(first=0, length=5, begin=0, end=10),
        Slice(first=5, length=2, begin=10, end=12),
        Slice(first=7, length=5, begin=10, end=30),
        Slice(first=12, length=10, begin=30, end=40),
    ]


def test_documents_are_whole_only_where_nothing_of_the_row_is_elsewhere() -> None:
    assert Documents.of([0, 3, 5]).whole
    assert not Documents(slices([0, 3, 5], [(0, 4)]), 5).whole
    assert not Documents(slices([0, 3, 5], [(3, 5)]), 5).whole


@given(any_documents())
def test_slices_follow_each_other_and_end_with_the_queries(documents: Documents) -> None:
    first = 0
    for one in documents.slices:
        assert one.first == first
        assert 0 < one.length <= one.end - one.begin
        first += one.length
    assert first == documents.queries
    assert documents.keys >= max(one.end for one in documents.slices)


def test_what_a_kernel_makes_of_documents_is_made_once_for_each_device() -> None:
    documents, made = Documents.of([0, 3]), []

    def make(of: Documents, device: torch.device) -> int:
        made.append(device)
        return of.queries

    for device in ("cpu", "cpu", "meta"):
        assert documents.once(make, torch.device(device)) == 3
    assert made == [torch.device("cpu"), torch.device("meta")]
