from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from pretrain.checkpoint import host_copy
from pretrain.checkpoint.host_copy import HostCopy


def _bytes(copy: HostCopy, start: int, stop: int) -> bytes:
    return b"".join(bytes(piece) for piece in copy.bytes(start, stop))


def _expected(tensors: list[torch.Tensor]) -> bytes:
    return b"".join(tensor.contiguous().numpy().tobytes() for tensor in tensors)


@given(st.lists(st.integers(0, 30), max_size=8), st.integers(0, 50), st.integers(0, 240), st.integers(0, 240))
def test_any_stretch_is_given_back_as_it_was_taken(sizes: list[int], reserved: int, one: int, other: int) -> None:
    before = host_copy._BLOCK
    host_copy._BLOCK = 16
    try:
        copy = HostCopy()
        copy.reserve(reserved)
        tensors = [torch.rand(size) for size in sizes]
        copy.take(tensors)
        whole = _expected(tensors)
        start, stop = sorted((min(one * 4, len(whole)), min(other * 4, len(whole))))
        assert _bytes(copy, start, stop) == whole[start:stop]
    finally:
        host_copy._BLOCK = before


def test_what_was_taken_stays_when_the_tensors_change_and_the_memory_is_used_again() -> None:
    copy = HostCopy()
    tensors = [torch.rand(5, 3).t(), torch.rand(7)]  # the first is not contiguous
    first = _expected(tensors)
    copy.take(tensors)
    where = [block.data_ptr() for block in copy._blocks]
    for tensor in tensors:
        tensor.zero_()
    assert _bytes(copy, 0, len(first)) == first
    copy.take(tensors)
    assert _bytes(copy, 0, len(first)) == bytes(len(first))
    assert [block.data_ptr() for block in copy._blocks] == where
