"""Tallies add up however the work was cut, and survive as JSON."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from corpus.tally import Tally, Unreadable

EVENTS = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(0, 3))
    | st.builds(Unreadable, st.just("mail"), st.sampled_from("xy"), st.integers(0, 9), st.just("empty")),
    max_size=12,
)


def tally_of(events: list[tuple[str, int] | Unreadable]) -> Tally:
    """What is counted."""
    tally = Tally()
    for event in events:
        if isinstance(event, Unreadable):
            tally.put_aside(event)
        else:
            tally.add(*event)
    return tally


@given(EVENTS, st.integers(0, 12))
def test_the_tally_of_the_parts_is_that_of_the_whole(events: list[tuple[str, int] | Unreadable], cut: int) -> None:
    parts = tally_of(events[:cut])
    parts.merge(tally_of(events[cut:]))
    assert parts == tally_of(events)


@given(EVENTS)
def test_a_tally_comes_back_from_json(events: list[tuple[str, int] | Unreadable]) -> None:
    tally = tally_of(events)
    assert Tally.from_json(json.loads(json.dumps(tally.to_json()))) == tally


def test_nothing_leaves_no_trace() -> None:
    tally = Tally()
    tally.add("masked.email", 0)
    assert tally.to_json() == {"counts": {}, "quarantine": []}
