"""The held-out split: the right share, clusters whole, and nothing but the cluster and the seed decides."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.schema.corpus import HeldOut
from corpus.batch import document_id
from corpus.split import chosen_places, held_out_bound, held_out_place

IDS = [document_id("manuals", f"{n}.txt", 0) for n in range(10_000)]


def chosen(clusters: list[str], seed: int = 5, **settings: float) -> list[str]:
    """The clusters that are held out, one entry per document."""
    held_out = HeldOut(**{"max_documents": 10**9, **settings})  # type: ignore[arg-type]
    bound = held_out_bound((held_out_place(seed, cluster) for cluster in clusters), held_out)
    return [cluster for cluster in clusters if held_out_place(seed, cluster) < bound]


@pytest.mark.parametrize("share", [0.01, 0.12, 0.5])
@pytest.mark.parametrize("seed", [0, 1, 2**62])
def test_the_share_is_right_within_four_standard_deviations(share: float, seed: int) -> None:
    expected, deviation = 10_000 * share, (10_000 * share * (1 - share)) ** 0.5
    assert abs(len(chosen(IDS, seed, share=share)) - expected) < 4 * deviation


def test_another_seed_chooses_others() -> None:
    one, other = set(chosen(IDS, 1, share=0.1)), set(chosen(IDS, 2, share=0.1))
    assert len(one & other) < 200  # 100 by chance


def test_a_share_of_nothing_chooses_nothing() -> None:
    assert chosen(IDS, share=0.0) == []


def test_a_larger_share_only_adds() -> None:
    assert set(chosen(IDS, share=0.05)) < set(chosen(IDS, share=0.1))


CLUSTERS = st.lists(st.sampled_from(IDS[:40]), max_size=60)


@given(CLUSTERS.flatmap(lambda clusters: st.tuples(st.just(clusters), st.permutations(clusters))))
def test_the_order_of_the_documents_does_not_matter(both: tuple[list[str], list[str]]) -> None:
    one, other = both
    for cap in (10**9, 5):
        assert sorted(chosen(one, share=0.5, max_documents=cap)) == sorted(chosen(other, share=0.5, max_documents=cap))


@given(CLUSTERS, CLUSTERS)
def test_other_documents_do_not_matter(clusters: list[str], others: list[str]) -> None:
    alone = chosen(clusters, share=0.5)
    among = chosen(clusters + others, share=0.5)
    assert among[: len(alone)] == alone


@given(CLUSTERS, st.integers(0, 20))
def test_a_cluster_is_never_cut_and_the_cap_never_exceeded(clusters: list[str], cap: int) -> None:
    out = chosen(clusters, share=0.5, max_documents=cap)
    assert len(out) <= cap
    counts = Counter(clusters)
    assert all(counts[cluster] == count for cluster, count in Counter(out).items())


def test_under_a_cap_those_are_chosen_that_a_smaller_share_would_choose() -> None:
    everyone = chosen(IDS, share=0.1)
    for cap in (len(everyone), len(everyone) - 1, 10, 1, 0):
        some = chosen(IDS, share=0.1, max_documents=cap)
        assert len(some) == cap
        assert set(some) <= set(everyone)
    assert set(chosen(IDS, share=0.1, max_documents=10)) < set(chosen(IDS, share=0.1, max_documents=11))


def test_a_cluster_too_large_for_the_cap_stays_in_training() -> None:
    first = chosen(IDS[:100], share=0.9, max_documents=1)
    assert chosen([*IDS[:100], *first], share=0.9, max_documents=1) == []


@given(st.lists(st.lists(st.floats(0, 1, exclude_max=True), max_size=9), max_size=5), st.integers(0, 12))
def test_the_smallest_places_of_each_part_tell_the_bound_of_all(parts: list[list[float]], cap: int) -> None:
    settings = HeldOut(share=0.5, max_documents=cap)
    whole = held_out_bound([place for part in parts for place in part], settings)
    some = [chosen_places(part, settings) for part in parts]
    assert held_out_bound([place for part in some for place in part], settings) == whole
    assert all(len(part) <= cap + 1 for part in some)
