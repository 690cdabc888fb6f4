"""Shards: flat stretches of parameters as boxes of HF tensors."""

from __future__ import annotations

import itertools

import pytest
import torch

from pretrain.engines.gradients import clip
from pretrain.engines.shards import Shard, even_share, hf_places

SHAPE = (5, 4)
WHOLE = torch.arange(20.0).reshape(SHAPE)


def shard(start: int, count: int, *, offset: int = 3, owned: tuple[int, int] | None = None) -> Shard:
    """A stretch of WHOLE that lies in a longer holder."""
    holder = torch.full((30,), -1.0)
    holder[offset : offset + count] = WHOLE.view(-1)[start : start + count]
    return Shard("w", SHAPE, start, count, holder, offset, owned or (start, start + count), trained=True)


@pytest.mark.parametrize(("start", "count"), [(0, 20), (0, 3), (2, 9), (7, 1), (4, 8), (13, 7)])
def test_places_cover_a_stretch_once_and_are_views(start: int, count: int) -> None:
    seen = torch.full(SHAPE, -1.0)
    held = shard(start, count)
    for place in hf_places(held, start, held.of(held.holder)):
        assert torch.equal(place.view, WHOLE[place.box.slices])
        assert place.view.untyped_storage().data_ptr() == held.holder.untyped_storage().data_ptr()
        seen[place.box.slices] = place.view
    assert int((seen >= 0).sum()) == count


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        pytest.param(0, 20, list(range(6, 15)), id="all of it"),
        pytest.param(8, 10, [8, 9], id="from its middle"),
        pytest.param(0, 8, [6, 7], id="its beginning"),
        pytest.param(14, 20, [14], id="its end"),
        pytest.param(15, 20, [], id="behind it"),
        pytest.param(0, 6, [], id="before it"),
        pytest.param(0, 0, [], id="nothing"),
    ],
)
def test_a_range_of_the_parameter_is_found_in_the_stretch(first: int, last: int, expected: list[int]) -> None:
    held = shard(6, 9)
    assert held.within(held.of(held.holder), first, last).tolist() == expected


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        pytest.param(3, None, [12, 13, 14], id="new rows"),
        pytest.param(None, 3, [6, 7, 8, 9, 10, 11], id="old rows"),
        pytest.param(5, None, [], id="no new rows"),
        pytest.param(None, 0, [], id="no old rows"),
    ],
)
def test_rows_of_the_parameter_are_found_in_the_stretch(
    first: int | None, last: int | None, expected: list[int]
) -> None:
    held = shard(6, 9)
    assert held.rows(held.of(held.holder), first, last).tolist() == expected


@pytest.mark.parametrize(("count", "size"), [(10, 1), (10, 3), (2, 4), (0, 2)])
def test_shares_follow_each_other_and_make_up_the_whole(count: int, size: int) -> None:
    shares = [even_share(count, rank, size) for rank in range(size)]
    assert (shares[0][0], shares[-1][1]) == (0, count)
    assert all(end == start for (_, end), (start, _) in itertools.pairwise(shares))


@pytest.mark.parametrize("limit", [0.5, 100.0])
def test_clipping_is_torchs(limit: float) -> None:
    ours, parameter = torch.arange(1.0, 5), torch.nn.Parameter(torch.zeros(4))
    parameter.grad = ours.clone()
    norm = float(torch.nn.utils.clip_grad_norm_([parameter], limit))
    clip([ours], norm, limit)
    torch.testing.assert_close(ours, parameter.grad)
