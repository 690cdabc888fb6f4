from __future__ import annotations

import pytest
import torch

from tokenizer.embed import init_rows, padded_rows

BASE_VH = torch.tensor([[3.0, 4.0], [0.0, 5.0], [5.0, 0.0], [-3.0, 4.0]])


def test_a_row_points_where_the_mean_of_its_pieces_points() -> None:
    rows = init_rows("mean", BASE_VH, [[0, 1]], norm=1.0)
    mean = BASE_VH[[0, 1]].mean(dim=0)
    assert torch.allclose(torch.nn.functional.cosine_similarity(rows[0], mean, dim=0), torch.tensor(1.0))


@pytest.mark.parametrize("norm", [0.5, 1.0, 2.0])
def test_a_row_is_as_long_as_asked(norm: float) -> None:
    rows = init_rows("mean", BASE_VH, [[0, 1], [2], [0, 1, 2, 3]], norm=norm)
    assert torch.allclose(rows.norm(dim=1), torch.full((3,), 5.0 * norm))


def test_rows_keep_the_number_format_of_the_base() -> None:
    assert init_rows("mean", BASE_VH.to(torch.bfloat16), [[0, 1]], norm=1.0).dtype == torch.bfloat16


def test_no_new_tokens_make_no_rows() -> None:
    assert init_rows("mean", BASE_VH, [], norm=1.0).shape == (0, 2)


def test_an_empty_spelling_is_refused() -> None:
    with pytest.raises(ValueError, match="without spelling"):
        init_rows("mean", BASE_VH, [[0], []], norm=1.0)


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
