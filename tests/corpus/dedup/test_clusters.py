"""Clusters: the same sets whatever the order of the joins."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from corpus.dedup.clusters import Clusters

ROWS = 12
JOINS = st.lists(st.tuples(st.integers(0, ROWS - 1), st.integers(0, ROWS - 1)), max_size=20)


def plain_labels(joins: list[tuple[int, int]]) -> list[int]:
    """The smallest row that each one is connected with, by spreading until nothing changes."""
    labels = list(range(ROWS))
    for _ in range(ROWS):
        for one, other in joins:
            labels[one] = labels[other] = min(labels[one], labels[other])
    return labels


def joined(joins: list[tuple[int, int]]) -> Clusters:
    """The sets after some joins."""
    clusters = Clusters(ROWS)
    for one, other in joins:
        clusters.join(one, other)
    return clusters


@given(JOINS)
def test_a_set_is_what_is_connected_and_its_smallest_row_stands_for_it(joins: list[tuple[int, int]]) -> None:
    clusters = joined(joins)
    assert clusters.labels().tolist() == plain_labels(joins)
    assert [clusters.first(row) for row in range(ROWS)] == plain_labels(joins)


@given(JOINS.flatmap(lambda joins: st.tuples(st.just(joins), st.permutations(joins))))
def test_the_order_of_the_joins_does_not_matter(both: tuple[list[tuple[int, int]], list[tuple[int, int]]]) -> None:
    one, other = both
    turned = [(second, first) for first, second in other]
    assert joined(one).labels().tolist() == joined(turned).labels().tolist()


def test_without_joins_every_row_is_alone() -> None:
    assert Clusters(3).labels().tolist() == [0, 1, 2]
    assert Clusters(0).labels().tolist() == []
