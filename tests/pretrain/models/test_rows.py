"""Rows: which part of an HF tensor a part of a core parameter is."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import pytest
import torch

from configs.errors import UserError
from pretrain.checkpoint.boxes import Box, boxes_of_flat_range
from pretrain.models.rows import GroupedQkv, Row, Same, Stacked, check_complete, local_box

G, Q, D, H, F = 3, 2, 4, 5, 6

ROWS = [
    pytest.param(Same("core", "hf", (7, H), tp_dim=0), id="same, cut by rows"),
    pytest.param(Same("core", "hf", (7,)), id="same, a vector"),
    pytest.param(Stacked("core", ("gate", "up"), (2, F, H)), id="stacked"),
    pytest.param(Stacked("core", ("gate", "up"), (2, F)), id="stacked bias"),
    pytest.param(GroupedQkv("core", ("q", "k", "v"), (G, Q + 2, D, H)), id="grouped qkv"),
    pytest.param(GroupedQkv("core", ("q", "k", "v"), (G, Q + 2, D)), id="grouped qkv bias"),
    pytest.param(GroupedQkv("core", ("q", "k", "v"), (G, 1 + 2, D, H)), id="one query head per group"),
]


def distinct(row: Row) -> torch.Tensor:
    """The core parameter with every value distinct."""
    return torch.arange(torch.Size(row.shape).numel()).reshape(row.shape)


def hf_of(row: Row, core: torch.Tensor, boxes: list[Box] | None = None) -> dict[str, torch.Tensor]:
    """The HF tensors of a core parameter, put together box by box; -1 where no piece fell."""
    out = {name: torch.full(shape, -1) for name, shape in row.hf_shapes.items()}
    for box in boxes or [Box.whole(row.shape)]:
        for piece in row.to_hf(box):
            assert (out[piece.name][piece.hf.slices] == -1).all()
            out[piece.name][piece.hf.slices] = core[piece.core.slices].reshape(piece.hf.sizes)
    return out


def flat_boxes(shape: tuple[int, ...], step: int) -> list[Box]:
    """A parameter cut like a distributed optimizer cuts it: into flat ranges of any length."""
    count = torch.Size(shape).numel()
    return [box for at in range(0, count, step) for box in boxes_of_flat_range(shape, at, min(at + step, count))]


@pytest.mark.parametrize("row", ROWS)
def test_there_and_back_is_bit_exact(row: Row) -> None:
    core = distinct(row)
    back = torch.full(row.shape, -1)
    for name, tensor in hf_of(row, core).items():
        for piece in row.to_core(name, Box.whole(tensor.shape)):
            back[piece.core.slices] = tensor[piece.hf.slices].reshape(piece.core.sizes)
    assert torch.equal(back, core)


@pytest.mark.parametrize("step", [1, 3, 7, 11, 64])
@pytest.mark.parametrize("row", ROWS)
def test_flat_fragments_give_the_same_tensors_as_the_whole(row: Row, step: int) -> None:
    core = distinct(row)
    whole = hf_of(row, core)
    cut = hf_of(row, core, flat_boxes(row.shape, step))
    assert all(torch.equal(cut[name], whole[name]) for name in whole)


@pytest.mark.parametrize("step", [1, 3, 7, 11])
@pytest.mark.parametrize("row", ROWS)
def test_boxes_of_hf_tensors_find_their_place_in_the_core(row: Row, step: int) -> None:
    core = distinct(row)
    for name, tensor in hf_of(row, core).items():
        for box in flat_boxes(tuple(tensor.shape), step):
            seen = 0
            for piece in row.to_core(name, box):
                assert torch.equal(core[piece.core.slices].reshape(piece.hf.sizes), tensor[piece.hf.slices])
                seen += piece.hf.count
            assert seen == box.count


@pytest.mark.parametrize("tp_size", [1, 3])
@pytest.mark.parametrize("row", ROWS[2:])
def test_the_shards_of_all_tensor_ranks_make_up_the_whole(row: Row, tp_size: int) -> None:
    core = distinct(row)
    cut = hf_of(row, core, [local_box(row, rank, tp_size) for rank in range(tp_size)])
    whole = hf_of(row, core)
    assert all(torch.equal(cut[name], whole[name]) for name in whole)


def core_rows(row: GroupedQkv) -> Iterator[tuple[str, int, int, int]]:
    """What each row of the folded core parameter is: (letter, group, head in group, number of the head)."""
    for group, slot, number in product(range(G), range(Q + 2), range(D)):
        letter = "q" if slot < Q else row.hf[slot - Q + 1]
        yield letter, group, slot if slot < Q else 0, number


def test_the_rows_of_group_2_are_its_queries_then_its_key_then_its_value() -> None:
    row = GroupedQkv("core", ("q", "k", "v"), (G, Q + 2, D, 1))
    hf = hf_of(row, distinct(row))
    group_2 = range(2 * (Q + 2) * D, 3 * (Q + 2) * D)
    assert list(group_2) == list(range(32, 48))
    assert hf["q"][4 * D : 6 * D, 0].tolist() == [32, 33, 34, 35, 36, 37, 38, 39]
    assert hf["k"][2 * D : 3 * D, 0].tolist() == [40, 41, 42, 43]
    assert hf["v"][2 * D : 3 * D, 0].tolist() == [44, 45, 46, 47]


def test_the_order_of_every_core_row_is_as_described() -> None:
    row = GroupedQkv("core", ("q", "k", "v"), (G, Q + 2, D, 1))
    hf = hf_of(row, distinct(row))
    for at, (letter, group, head, number) in enumerate(core_rows(row)):
        heads = Q if letter == "q" else 1
        assert hf[letter][(group * heads + head) * D + number, 0] == at


def test_pieces_of_whole_rows_are_views() -> None:
    row = GroupedQkv("core", ("q", "k", "v"), (G, Q + 2, D, H))
    core = distinct(row)
    assert all(core[piece.core.slices].is_contiguous() for piece in row.to_hf(Box.whole(row.shape)))


def test_rows_past_the_vocabulary_belong_to_no_hf_tensor() -> None:
    row = Same("core", "hf", (7, H), tp_dim=0)
    second = local_box(row, 1, 2, padded_rows=8)
    assert second == Box((4, 0), (4, H))
    assert [piece.hf for piece in row.to_hf(second)] == [Box((4, 0), (3, H))]
    assert not list(row.to_hf(Box((7, 0), (1, H))))


TABLE: list[Row] = [
    Same("norm", "model.norm.weight", (H,)),
    Stacked("fc1", ("mlp.gate_proj.weight", "mlp.up_proj.weight"), (2, F, H)),
]
SHAPES = {"model.norm.weight": (H,), "mlp.gate_proj.weight": (F, H), "mlp.up_proj.weight": (F, H)}


def test_a_table_that_explains_everything_is_accepted() -> None:
    check_complete(TABLE, SHAPES, ["norm", "fc1"])


@pytest.mark.parametrize(
    ("shapes", "core", "named"),
    [
        pytest.param(
            {**SHAPES, "self_attn.q_proj.bias": (H,)},
            ["norm", "fc1"],
            "no row explains: self_attn.q_proj.bias",
            id="unexplained q_proj.bias",
        ),
        pytest.param(
            {name: shape for name, shape in SHAPES.items() if "up_proj" not in name},
            ["norm", "fc1"],
            "the model lacks: mlp.up_proj.weight",
            id="missing up_proj",
        ),
        pytest.param(SHAPES, ["norm", "fc1", "router.weight"], "no row explains: router.weight", id="core left over"),
        pytest.param(SHAPES, ["norm"], "the model lacks: fc1", id="core missing"),
        pytest.param(
            {**SHAPES, "model.norm.weight": (H + 1,)},
            ["norm", "fc1"],
            rf"model.norm.weight has shape \({H + 1},\), the rows say \({H},\)",
            id="another shape",
        ),
    ],
)
def test_what_the_table_does_not_explain_is_named(
    shapes: dict[str, tuple[int, ...]], core: list[str], named: str
) -> None:
    with pytest.raises(UserError, match=named):
        check_complete(TABLE, shapes, core)
