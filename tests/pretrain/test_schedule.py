from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.schema.pretrain import Optim
from pretrain.schedule import lr_by_group, lr_share


@pytest.mark.parametrize(
    ("schedule", "tokens", "share"),
    [
        pytest.param("cosine", 0, 1 / 101, id="the first step moves a little"),
        pytest.param("cosine", 50, 51 / 101, id="half of the warm-up"),
        pytest.param("cosine", 100, 1.0, id="the peak"),
        pytest.param("cosine", 550, 0.1 + 0.9 * 0.5, id="half of the way down, cosine"),
        pytest.param("cosine", 325, 0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi / 4)), id="a quarter, cosine"),
        pytest.param("linear", 325, 0.1 + 0.9 * 0.75, id="a quarter, linear"),
        pytest.param("constant", 999, 1.0, id="constant stays"),
        pytest.param("cosine", 1000, 0.1, id="the end"),
        pytest.param("cosine", 2000, 0.1, id="beyond the end"),
    ],
)
def test_the_share_of_the_peak(schedule: str, tokens: int, share: float) -> None:
    optim = Optim.model_validate({"schedule": schedule, "warmup_tokens": 100, "min_lr": 0.1})
    assert lr_share(optim, tokens, 1000) == pytest.approx(share)


@given(st.integers(0, 2000), st.integers(0, 1500), st.sampled_from(["cosine", "linear", "constant"]))
def test_the_share_is_never_zero_and_never_above_the_peak(tokens: int, warmup: int, schedule: str) -> None:
    optim = Optim.model_validate({"schedule": schedule, "warmup_tokens": warmup, "min_lr": 0.05})
    assert 0 < lr_share(optim, tokens, 1000) <= 1


def test_embeddings_and_new_rows_have_their_own_rates() -> None:
    optim = Optim(lr=1e-4, new_rows_lr=10, embeddings_lr=0.5, schedule="constant")
    assert lr_by_group(optim, 0, 10) == {"matrices": 1e-4, "vectors": 1e-4, "embeddings": 5e-5, "new_rows": 1e-3}
