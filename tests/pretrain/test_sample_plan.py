from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pretrain.course import Packing
from pretrain.planned_stage import PlannedStage
from pretrain.sample_plan import BLOCK, SamplePlan


def packed(sequences: int, digest: str, name: str = "4096") -> dict[str, Packing]:
    """A source in one packing."""
    return {name: Packing(name, sequences, digest)}


SOURCES = {"ja": packed(700, "a" * 64), "en": packed(90, "b" * 64), "code": packed(31, "c" * 64)}
FIRST = PlannedStage(1000, {"ja": 0.8, "en": 0.2})
SECOND = PlannedStage(500, {"ja": 0.5, "en": 0.3, "code": 0.2})


def plan(*stages: PlannedStage, seed: int = 1) -> SamplePlan:
    return SamplePlan(seed, stages, SOURCES)


def test_a_longer_last_stage_keeps_the_past() -> None:
    longer = PlannedStage(9000, FIRST.weights)
    assert plan(FIRST).digest(0, 1000) == plan(longer).digest(0, 1000)


def test_a_stage_appended_later_keeps_the_past() -> None:
    assert plan(FIRST).digest(0, 1000) == plan(FIRST, SECOND).digest(0, 1000)


def test_a_source_appended_later_keeps_the_past() -> None:
    without_code = {name: SOURCES[name] for name in ("ja", "en")}
    assert SamplePlan(1, [FIRST], without_code).digest(0, 1000) == plan(FIRST, SECOND).digest(0, 1000)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(plan(FIRST, seed=2), id="another seed"),
        pytest.param(plan(PlannedStage(1000, {"ja": 0.7, "en": 0.3})), id="another mixture"),
        pytest.param(SamplePlan(1, [FIRST], {**SOURCES, "ja": packed(700, "d" * 64)}), id="other tokens"),
    ],
)
def test_what_matters_changes_the_order(other: SamplePlan) -> None:
    assert plan(FIRST).digest(0, 1000) != other.digest(0, 1000)


def test_an_epoch_has_every_sequence_once() -> None:
    of_ja = [plan(FIRST).at(i) for i in range(1000)]
    first_epoch = [sample.sequence for sample in of_ja if sample.source == "ja" and sample.epoch == 0]
    assert sorted(first_epoch) == list(range(700))
    second_epoch = [sample.sequence for sample in of_ja if sample.source == "ja" and sample.epoch == 1]
    assert len(set(second_epoch)) == len(second_epoch) > 0


def test_a_source_goes_on_across_stages_where_it_stopped() -> None:
    samples = [plan(FIRST, SECOND).at(i) for i in range(1500)]
    for name, source in SOURCES.items():
        order = [(sample.epoch, sample.sequence) for sample in samples if sample.source == name]
        assert len(set(order)) == len(order)
        assert [epoch for epoch, _ in order] == sorted(epoch for epoch, _ in order)
        assert max(Counter(epoch for epoch, _ in order).values()) <= source["4096"].sequences


@pytest.mark.parametrize("batch", [16, 100, 1000])
def test_every_batch_has_nearly_the_shares_of_the_mixture(batch: int) -> None:
    order = plan(FIRST)
    for start in range(0, 1000 - batch + 1, batch):
        of_ja = sum(order.at(i).source == "ja" for i in range(start, start + batch))
        assert abs(of_ja - 0.8 * batch) <= 1


def test_a_block_has_the_exact_shares() -> None:
    order = plan(PlannedStage(3 * BLOCK, {"ja": 0.7, "en": 0.2, "code": 0.1}))
    for block in range(3):
        found = Counter(order.at(block * BLOCK + k).source for k in range(BLOCK))
        assert found == Counter({"ja": 2867, "en": 819, "code": 410})


@given(
    st.dictionaries(st.sampled_from(["ja", "en", "code"]), st.floats(0.01, 100), min_size=1),
    st.integers(0, 2 * BLOCK),
)
@settings(max_examples=60, deadline=None)
def test_taken_counts_what_at_gives(weights: dict[str, float], samples: int) -> None:
    order = plan(PlannedStage(2 * BLOCK, weights))
    counted = Counter(order.at(i).source for i in range(samples))
    assert {name: count for name, count in order.taken(samples).items() if count} == dict(counted)


@given(st.integers(0, 2**32), st.lists(st.integers(1, 900), min_size=1, max_size=3), st.integers(1, 60))
@settings(max_examples=30, deadline=None)
def test_places_are_at_the_other_way_round(seed: int, samples: list[int], sequences: int) -> None:
    sources = {"ja": packed(sequences, "a"), "en": packed(13, "b")}
    mixtures = [{"ja": 0.7, "en": 0.3}, {"en": 1.0}, {"ja": 0.1, "en": 0.9}]
    order = SamplePlan(seed, [PlannedStage(n, weights) for n, weights in zip(samples, mixtures, strict=False)], sources)
    where: dict[tuple[str, int], list[int]] = {}
    for i in range(len(order)):
        where.setdefault((order.at(i).source, order.at(i).sequence), []).append(i)
    for source, packings in sources.items():
        for sequence in range(packings["4096"].sequences):
            assert list(order.places(source, "4096", sequence)) == where.get((source, sequence), [])


def test_the_mixture_does_not_depend_on_the_scale_of_the_weights() -> None:
    scaled = PlannedStage(1000, {"ja": 8, "en": 2})
    assert plan(FIRST).digest(0, 1000) == plan(scaled).digest(0, 1000)


@pytest.mark.parametrize("i", [-1, 1000])
def test_a_sample_beyond_the_plan_is_refused(i: int) -> None:
    with pytest.raises(IndexError):
        plan(FIRST).at(i)


@pytest.mark.parametrize(
    ("weight", "accepted"),
    [
        pytest.param(1 / BLOCK, True, id="one place in a block"),
        pytest.param(0.4 / BLOCK, False, id="less than half a place"),
    ],
)
def test_a_weight_too_small_for_a_block_is_refused(weight: float, accepted: bool) -> None:
    stage = PlannedStage(10, {"ja": 1 - weight, "en": weight})
    if accepted:
        assert len(plan(stage)) == 10
    else:
        with pytest.raises(ValueError, match="the weight of source 'en' is below"):
            plan(stage)


def test_a_source_without_sequences_is_refused() -> None:
    with pytest.raises(ValueError, match="source 'ja' has no sequences"):
        SamplePlan(1, [PlannedStage(10, {"ja": 1})], {"ja": packed(0, "")})


def test_opening_a_plan_of_a_billion_sequences_stores_nothing() -> None:
    large = SamplePlan(1, [PlannedStage(10**12, {"web": 1})], {"web": packed(10**9, "e" * 64)})
    far = large.at(10**12 - 1)
    assert (far.source, far.epoch) == ("web", 999)
    assert 0 <= far.sequence < 10**9


def test_the_order_is_the_recorded_one() -> None:
    """Another order would break every run that is resumed across versions."""
    assert plan(FIRST, SECOND).digest(0, 1500) == RECORDED


RECORDED = "5824541e283ae54e1bf75ef7d584ee57ac580e5b1358967cad70f90d065783ae"
