from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pretrain.checkpoint.boxes import Box, boxes_of_flat_range, flat_runs

SHAPES = st.lists(st.integers(1, 5), min_size=0, max_size=4)


@given(SHAPES, st.data())
def test_the_boxes_of_a_range_are_the_range_in_order(shape: list[int], data: st.DataObject) -> None:
    tensor = torch.arange(math.prod(shape)).reshape(shape)
    start = data.draw(st.integers(0, tensor.numel()))
    stop = data.draw(st.integers(start, tensor.numel()))
    pieces = [tensor[box.slices].reshape(-1) for box in boxes_of_flat_range(shape, start, stop)]
    joined = torch.cat(pieces) if pieces else torch.empty(0, dtype=torch.int64)
    assert joined.tolist() == list(range(start, stop))


@given(SHAPES.filter(lambda shape: len(shape) == 2), st.data())
def test_a_range_of_a_matrix_is_three_boxes_at_most(shape: list[int], data: st.DataObject) -> None:
    start = data.draw(st.integers(0, math.prod(shape)))
    stop = data.draw(st.integers(start, math.prod(shape)))
    assert len(list(boxes_of_flat_range(shape, start, stop))) <= 3


def _box(data: st.DataObject, shape: tuple[int, ...]) -> Box:
    offsets = [data.draw(st.integers(0, size - 1)) for size in shape]
    return Box(
        tuple(offsets),
        tuple(data.draw(st.integers(1, size - offset)) for size, offset in zip(shape, offsets, strict=True)),
    )


@given(st.data())
def test_the_intersection_is_what_both_cover(data: st.DataObject) -> None:
    shape = (6, 5)
    one, other = _box(data, shape), _box(data, shape)
    counts = torch.zeros(shape, dtype=torch.int64)
    counts[one.slices] += 1
    counts[other.slices] += 1
    common = one.intersect(other)
    assert common == other.intersect(one)
    covered = torch.zeros(shape, dtype=torch.int64)
    if common is not None:
        covered[common.slices] = 1
    assert torch.equal(covered, (counts == 2).long())


@given(st.data())
def test_within_finds_the_box_in_a_larger_one(data: st.DataObject) -> None:
    tensor = torch.arange(30).reshape(6, 5)
    outer = _box(data, (6, 5))
    inner = _box(data, outer.sizes)
    moved = Box(tuple(a + b for a, b in zip(inner.offsets, outer.offsets, strict=True)), inner.sizes)
    assert torch.equal(tensor[outer.slices][moved.within(outer)], tensor[moved.slices])


@pytest.mark.parametrize(
    ("shape", "start", "stop", "count"),
    [
        pytest.param((4, 3), 0, 12, 1, id="all of it"),
        pytest.param((4, 3), 3, 9, 1, id="whole rows"),
        pytest.param((4, 3), 1, 11, 3, id="rest of a row, rows, beginning of a row"),
        pytest.param((4, 3), 4, 5, 1, id="inside one row"),
        pytest.param((7,), 2, 5, 1, id="a vector"),
        pytest.param((4, 3), 5, 5, 0, id="nothing"),
    ],
)
def test_as_few_boxes_as_possible(shape: tuple[int, ...], start: int, stop: int, count: int) -> None:
    assert len(list(boxes_of_flat_range(shape, start, stop))) == count


@given(st.data(), st.lists(st.integers(1, 4), max_size=4).map(tuple))
def test_runs_are_the_numbers_of_a_box_in_its_order(data: st.DataObject, shape: tuple[int, ...]) -> None:
    tensor = torch.arange(math.prod(shape)).reshape(shape)
    box = _box(data, shape)
    runs = list(flat_runs(shape, box))
    assert [number for first, count in runs for number in range(first, first + count)] == tensor[
        box.slices
    ].flatten().tolist()
    assert box != Box.whole(shape) or len(runs) == 1
