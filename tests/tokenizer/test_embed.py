from __future__ import annotations

from typing import get_args

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from configs.schema.tokenizer import InitMethod
from tokenizer.embed import Method, RowsOf, Side, init_rows, padded_rows, piece_weights, unfit_rows

BASE_VH = torch.tensor([[3.0, 4.0], [0.0, 5.0], [5.0, 0.0], [-3.0, 4.0]])
NOT_DRAWN = [method for method in get_args(Method) if method != "random"]
SPELLED = [[(1, [0, 1])], [(1, [2])], [(1, [0, 1, 2, 3])]]


@pytest.mark.parametrize(
    ("method", "side", "row"),
    [
        pytest.param("mean", "input", [8 / 3, 3.0], id="mean of three"),
        pytest.param("mean", "output", [8 / 3, 3.0], id="mean has no side"),
        pytest.param("weighted", "input", [23 / 7, 2.0], id="1, 2 and 4 sevenths"),
        pytest.param("weighted", "output", [17 / 7, 26 / 7], id="4, 2 and 1 sevenths"),
        pytest.param("first", "input", [3.0, 4.0], id="first"),
        pytest.param("last", "output", [5.0, 0.0], id="last"),
    ],
)
def test_a_row_is_the_pieces_by_weight(method: Method, side: Side, row: list[float]) -> None:
    rows = init_rows(RowsOf(method, side=side), BASE_VH, [[(1, [0, 1, 2])]])
    assert torch.allclose(rows, torch.tensor([row]))


def test_align_weighs_each_spelling_by_how_often_it_stands_there() -> None:
    # (3 * ([3, 4] + [0, 5]) / 2 + 1 * [5, 0]) / 4
    rows = init_rows(RowsOf("align"), BASE_VH, [[(3, [0, 1]), (1, [2])]])
    assert torch.allclose(rows, torch.tensor([[9.5 / 4, 13.5 / 4]]))


def test_align_of_a_token_that_never_stands_anywhere_is_the_mean_of_what_it_was_built_from() -> None:
    rows = init_rows(RowsOf("align"), BASE_VH, [[(0, [0, 1]), (0, [2])]])
    assert torch.allclose(rows, init_rows(RowsOf("mean"), BASE_VH, [[(1, [0, 1])]]))


def test_other_methods_look_only_at_what_a_token_was_built_from() -> None:
    assert piece_weights("mean", "input", [(1, (0, 1)), (9, (2,))]) == [(0, 0.5), (1, 0.5)]


@pytest.mark.parametrize("norm", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("method", get_args(Method))
def test_a_row_is_as_long_as_asked(method: Method, norm: float) -> None:
    rows = init_rows(RowsOf(method, norm), BASE_VH, SPELLED)
    assert torch.allclose(rows.norm(dim=1), torch.full((3,), 5.0 * norm))


@pytest.mark.parametrize(("norm", "length"), [(None, 4.5), (2.0, 10.0)])
def test_scale_counts_where_no_norm_is_asked(norm: float | None, length: float) -> None:
    row = init_rows(RowsOf("first", norm, scale=0.9), BASE_VH, [[(1, [0, 1])]])[0]
    assert row.norm() == pytest.approx(length)


@given(
    method=st.sampled_from(NOT_DRAWN),
    side=st.sampled_from(get_args(Side)),
    piece=st.integers(0, 3),
    times=st.integers(1, 4),
)
def test_a_token_of_equal_pieces_gets_their_row(method: Method, side: Side, piece: int, times: int) -> None:
    rows = init_rows(RowsOf(method, side=side), BASE_VH, [[(2, [piece] * times)]])
    assert torch.allclose(rows[0], BASE_VH[piece], atol=1e-6)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=9), st.sampled_from(NOT_DRAWN), st.sampled_from(get_args(Side)))
def test_shares_add_up_to_one(pieces: list[int], method: Method, side: Side) -> None:
    weights = piece_weights(method, side, [(2, pieces), (1, [0])])
    assert sum(weight for _, weight in weights) == pytest.approx(1)
    assert all(weight > 0 for _, weight in weights)


def test_random_rows_have_the_mean_and_the_covariance_of_the_base() -> None:
    base_VH = torch.randn((50, 3), generator=torch.Generator().manual_seed(1)) @ torch.tensor(
        [[2.0, 0.0, 0.0], [1.0, 0.5, 0.0], [0.0, 0.0, 0.1]]
    ) + torch.tensor([1.0, -2.0, 0.5])
    rows = init_rows(RowsOf("random", seed=3), base_VH, [[(1, [0])]] * 40_000)
    assert torch.allclose(rows.mean(dim=0), base_VH.mean(dim=0), atol=0.03)
    assert torch.allclose(torch.cov(rows.T), torch.cov(base_VH.T), atol=0.1)


def test_random_rows_are_the_seeds() -> None:
    first, again, other = (init_rows(RowsOf("random", seed=seed), BASE_VH, SPELLED) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_more_random_rows_than_are_drawn_at_once_are_all_different() -> None:
    rows = init_rows(RowsOf("random"), BASE_VH, [[(1, [0])]] * 257)
    assert len(rows.unique(dim=0)) == len(rows) == 257


@pytest.mark.parametrize("method", get_args(Method))
def test_rows_keep_the_number_format_of_the_base(method: Method) -> None:
    assert init_rows(RowsOf(method, 1.0), BASE_VH.to(torch.bfloat16), SPELLED).dtype == torch.bfloat16


@pytest.mark.parametrize("method", get_args(Method))
def test_no_new_tokens_make_no_rows(method: Method) -> None:
    assert init_rows(RowsOf(method, 1.0), BASE_VH, []).shape == (0, 2)


@pytest.mark.parametrize("spellings", [[[(1, [0])], [(1, [])]], [[(1, [0])], []]], ids=["empty", "none"])
def test_a_token_without_spelling_is_refused(spellings: list[list[tuple[int, list[int]]]]) -> None:
    with pytest.raises(ValueError, match="without spelling"):
        init_rows(RowsOf("mean"), BASE_VH, spellings)


def test_the_run_file_knows_the_same_methods() -> None:
    assert get_args(InitMethod) == get_args(Method)


@pytest.mark.parametrize(
    ("row", "fit"),
    [
        pytest.param([0.0, 0.0], False, id="zero"),
        pytest.param([0.0499, 0.0], False, id="just under a hundredth of the median"),
        pytest.param([0.0501, 0.0], True, id="just over it"),
        pytest.param([0.0, 13.99], True, id="just under twice the longest"),
        pytest.param([0.0, 14.01], False, id="just over it"),
        pytest.param([float("nan"), 1.0], False, id="no number"),
        pytest.param([float("inf"), 1.0], False, id="infinite"),
    ],
)
def test_rows_that_are_too_short_or_too_long_are_found(row: list[float], fit: bool) -> None:
    base_VH = torch.tensor([[3.0, 4.0], [0.0, 5.0], [7.0, 0.0]])
    assert unfit_rows(base_VH, torch.tensor([[1.0, 1.0], row])) == ([] if fit else [1])


@pytest.mark.parametrize(
    ("old", "tokens", "multiple", "rows"),
    [
        pytest.param(100, 100, 1, 100, id="nothing new"),
        pytest.param(100, 107, 1, 107, id="new tokens"),
        pytest.param(128, 107, 1, 128, id="new tokens fit in the base's padding"),
        pytest.param(100, 128, 64, 128, id="exactly a multiple"),
        pytest.param(100, 129, 64, 192, id="one more"),
    ],
)
def test_rows_are_enough_and_a_whole_multiple(old: int, tokens: int, multiple: int, rows: int) -> None:
    assert padded_rows(old, tokens, multiple) == rows
