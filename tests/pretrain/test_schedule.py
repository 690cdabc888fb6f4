from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.schema.pretrain import Optim, Stage
from configs.schema.schedule import Schedule
from pretrain.schedule import lr_by_group, lr_share, share_in_stage

SHAPES = [
    {"schedule": "cosine"},
    {"schedule": "linear"},
    {"schedule": "sqrt"},
    {"schedule": "constant"},
    *({"schedule": "wsd", "decay": 0.2, "decay_way": way} for way in ("cosine", "linear", "sqrt")),
]


@pytest.mark.parametrize(
    ("schedule", "tokens", "share"),
    [
        pytest.param({"schedule": "cosine"}, 0, 1 / 101, id="the first step moves a little"),
        pytest.param({"schedule": "cosine"}, 50, 51 / 101, id="half of the warm-up"),
        pytest.param({"schedule": "cosine"}, 100, 1.0, id="the peak"),
        pytest.param({"schedule": "cosine"}, 550, 0.1 + 0.9 * 0.5, id="half of the way down, cosine"),
        pytest.param(
            {"schedule": "cosine"}, 325, 0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi / 4)), id="a quarter, cosine"
        ),
        pytest.param({"schedule": "linear"}, 325, 0.1 + 0.9 * 0.75, id="a quarter, linear"),
        pytest.param({"schedule": "sqrt"}, 325, 0.1 + 0.9 * 0.5, id="a quarter, 1-sqrt"),
        pytest.param({"schedule": "constant"}, 999, 1.0, id="constant stays"),
        pytest.param({"schedule": "wsd"}, 900, 1.0, id="wsd is stable for nine tenths"),
        pytest.param({"schedule": "wsd"}, 925, 0.1 + 0.9 * 0.5, id="wsd decays by 1-sqrt"),
        pytest.param({"schedule": "wsd", "decay": 0.4}, 600, 1.0, id="a longer decay: still stable"),
        pytest.param({"schedule": "wsd", "decay": 0.4, "decay_way": "linear"}, 800, 0.55, id="a longer decay: half"),
        pytest.param({"schedule": "cosine"}, 1000, 0.1, id="the end"),
        pytest.param({"schedule": "cosine"}, 2000, 0.1, id="beyond the end"),
    ],
)
def test_the_share_of_the_peak(schedule: dict[str, Any], tokens: int, share: float) -> None:
    given_schedule = Schedule.model_validate({**schedule, "warmup_tokens": 100, "min_lr": 0.1})
    assert lr_share(given_schedule, tokens, 1000) == pytest.approx(share)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: "-".join(map(str, shape.values())))
@given(
    total=st.integers(1000, 10**13),
    warmup=st.floats(0, 0.8),
    min_lr=st.floats(0, 1),
    at=st.floats(0, 1),
)
def test_up_in_the_warm_up_then_down_without_a_jump_and_exact_at_the_ends(
    shape: dict[str, Any], total: int, warmup: float, min_lr: float, at: float
) -> None:
    schedule = Schedule.model_validate({**shape, "warmup_tokens": int(total * warmup), "min_lr": min_lr})
    assert schedule.misfit(total) is None
    rounding = 1e-12
    tokens = int(total * at)
    now, after = (lr_share(schedule, seen, total) for seen in (tokens, tokens + 1))
    assert 0 <= now <= 1 + rounding
    assert now < after if tokens < schedule.warmup_tokens else after <= now + rounding
    # One token changes little: no schedule is steeper than the root at its beginning or a short warm-up.
    steepest = max(1 / (schedule.warmup_tokens + 1), math.sqrt(1 / (0.19 * total)), math.pi / (0.19 * total))
    assert abs(after - now) <= steepest + rounding
    assert lr_share(schedule, schedule.warmup_tokens, total) == pytest.approx(1.0, rel=rounding)
    last = 1.0 if schedule.schedule == "constant" else min_lr
    assert lr_share(schedule, total, total) == pytest.approx(last, abs=rounding)


@given(st.integers(0, 799), st.integers(1000, 100_000))
def test_a_longer_run_with_wsd_begins_like_the_shorter_one(tokens: int, longer: int) -> None:
    schedule = Schedule(schedule="wsd", decay=0.2, warmup_tokens=100)
    assert lr_share(schedule, tokens, 1000) == lr_share(schedule, tokens, longer)


def test_a_stage_is_warmed_up_again_to_what_the_run_has_then() -> None:
    optim = Optim(schedule="linear", min_lr=0)
    stage = Stage(tokens=500, mixture={"a": 1}, rewarm_tokens=100)
    shares = [share_in_stage(optim, stage, 500, 1000, tokens, 1000) for tokens in (500, 550, 600, 750)]
    assert shares == pytest.approx([0.5 / 101, 0.45 * 51 / 101, 0.4, 0.25])


def test_a_stage_with_a_rate_of_its_own_goes_through_it_in_its_own_tokens() -> None:
    optim = Optim(schedule="constant")
    rate = {"schedule": "linear", "min_lr": 0, "peak": 0.5, "warmup_tokens": 100}
    stage = Stage.model_validate({"tokens": 500, "mixture": {"a": 1}, "rate": rate})
    shares = [share_in_stage(optim, stage, 500, 1000, tokens, 1000) for tokens in (500, 600, 800, 1000)]
    assert shares == pytest.approx([0.5 / 101, 0.5, 0.25, 0])


def test_embeddings_and_new_rows_have_their_own_rates() -> None:
    optim = Optim(lr=1e-4, new_rows_lr=10, embeddings_lr=0.5)
    assert lr_by_group(optim, 1.0) == {"matrices": 1e-4, "vectors": 1e-4, "embeddings": 5e-5, "new_rows": 1e-3}
