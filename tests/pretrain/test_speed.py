"""How fast a run is, put together from what its ranks measured."""

from __future__ import annotations

import pytest

from pretrain.speed import Speed, Window

GIB = 1 << 30


def windows(*own_s: float) -> list[Window]:
    """Ranks that work so long in a forward pass, and take two seconds for all of it."""
    return [Window(step_s=2.0, forward_s=seconds, memory_bytes=GIB) for seconds in own_s]


def test_the_slowest_rank_counts_wherever_ranks_wait_for_each_other() -> None:
    table = [Window(4.0, 0.4, 1.0, 0.0, 3 * GIB), Window(5.0, 0.1, 1.2, 0.0, 2 * GIB)]
    speed = Speed.of(table, steps=10, tokens=1000)
    assert speed.step_s == 0.5
    assert speed.tokens_per_s == 200.0
    assert speed.data_wait == 0.1
    assert speed.memory_gib == 3.0
    assert speed.slowest == 0
    assert speed.spread == pytest.approx(1.4 / 1.3 - 1)


def test_a_rank_is_compared_with_the_one_in_the_middle() -> None:
    speed = Speed.of(windows(1.0, 1.0, 1.5, 1.0), steps=1, tokens=1)
    assert (speed.slowest, speed.spread) == (2, 0.5)
    assert Speed.of(windows(1.0, 0.5, 1.5, 1.0), steps=1, tokens=1).behind == (0.0, 0.0, 0.5, 0.0)


def test_pipeline_stages_may_differ_from_each_other() -> None:
    assert Speed.of(windows(1.0, 1.0, 3.0, 3.0), steps=1, tokens=1, pipeline=2).spread == 0.0
    speed = Speed.of(windows(1.0, 1.0, 3.0, 3.6), steps=1, tokens=1, pipeline=2)
    assert speed.slowest == 3
    assert speed.spread == pytest.approx(0.2)


def test_a_rank_alone_holds_nobody_up() -> None:
    assert Speed.of(windows(1.0), steps=1, tokens=1).spread == 0.0


def test_lines_and_curves_have_the_same_figures_and_no_utilisation_where_no_peak_is_known() -> None:
    unknown = Speed.of(windows(1.0), steps=1, tokens=6)
    known = Speed.of(windows(1.0), steps=1, tokens=6, utilisation=0.25)
    assert set(known.scalars()) - set(unknown.scalars()) == {"train/utilisation"}
    for speed in (unknown, known):
        line = speed.to_json(7, ["node1"], "sdpa")
        assert {f"train/{name}": line[name] for name in line if f"train/{name}" in speed.scalars()} == speed.scalars()
    assert line["slowest"] == {"rank": 0, "host": "node1"}
    assert line["stragglers"] == []
    assert (line["step"], line["tokens_per_s"]) == (7, 3.0)
    assert known.told() == "MFU 25.0 %  memory 1.0 GiB  data wait 0.0 %"
    assert unknown.told() == "memory 1.0 GiB  data wait 0.0 %"
