"""Who is named as a straggler, and after how many intervals."""

from __future__ import annotations

import logging

import pytest

from configs.schema.pretrain import Log
from pretrain.speed import Speed, Window
from pretrain.stragglers import Stragglers

HOSTS = ["node1", "node1", "node2"]


def behind(*own_s: float) -> tuple[float, ...]:
    """By how much ranks are behind that work so long for themselves."""
    return Speed.of([Window(step_s=2.0, forward_s=seconds) for seconds in own_s], steps=1, tokens=1).behind


@pytest.mark.parametrize(
    ("share", "named"),
    [pytest.param(0.2, False, id="a fifth longer is allowed"), pytest.param(0.21, True, id="more is not")],
)
def test_who_takes_more_than_a_fifth_longer_three_times_is_named_with_host(share: float, named: bool) -> None:
    stragglers = Stragglers(Log(straggler=0.2, straggler_intervals=3), HOSTS)
    assert stragglers.after((0.0, 0.0, share)) == []
    assert stragglers.after((0.0, 0.0, share)) == []
    found = [(one.rank, one.host, one.intervals) for one in stragglers.after((0.0, 0.0, share))]
    assert found == ([(2, "node2", 3)] if named else [])


def test_one_interval_in_time_begins_the_count_anew() -> None:
    stragglers = Stragglers(Log(straggler_intervals=2), HOSTS)
    for seconds in (2.0, 1.0, 2.0, 1.0):
        assert stragglers.after(behind(1.0, 1.0, seconds)) == []
    assert stragglers.after(behind(1.0, 1.0, 2.0)) == []
    assert [one.rank for one in stragglers.after(behind(1.0, 1.0, 2.0))] == [2]


def test_of_two_that_are_the_slowest_in_turn_both_are_named_the_slower_first() -> None:
    stragglers = Stragglers(Log(straggler_intervals=2), ["a", "b", "c", "d", "e"])
    stragglers.after(behind(1.0, 1.0, 1.0, 2.0, 1.5))
    assert [one.rank for one in stragglers.after(behind(1.0, 1.0, 1.0, 1.5, 2.0))] == [4, 3]


def test_the_log_names_a_straggler_when_it_becomes_one_and_when_it_was_one_as_long_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    stragglers = Stragglers(Log(straggler_intervals=3), HOSTS)
    with caplog.at_level(logging.WARNING, "pretrain.stragglers"):
        for _ in range(7):
            stragglers.warn(stragglers.after(behind(1.0, 1.0, 1.5)))
    told = [record.getMessage() for record in caplog.records]
    assert [line.split(", ")[1].split(" ")[0] for line in told] == ["3", "6"]
    assert told[0].startswith("rank 2 on node2 takes 50 % longer than the rank in the middle for its own work, 3 ")
