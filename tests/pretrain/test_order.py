"""The order that every rank really reads: one digest per thousand samples, however the run is shared or extended."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.schema.run import Run
from pretrain.course import Packing
from pretrain.job import Job
from pretrain.loader import Loader
from pretrain.order import Order
from pretrain.pack import pack_tokens
from pretrain.planned_stage import PlannedStage
from pretrain.sample_plan import SamplePlan

MakeRun = Callable[..., Run]
STEPS = 12


def trained_digests(loader: Loader, ranks: int, steps: int = STEPS) -> list[str]:
    """Digest of the tokens, labels and sources of each step, in the order of the ranks."""
    digests: list[str] = []
    for step in range(steps):
        digest = hashlib.sha256()
        for kind in ("tokens_T", "labels_T", "positions_T", "source_T"):
            for rank in range(ranks):
                for batch in loader.micro_batches(step, (rank, ranks)):
                    digest.update(getattr(batch, kind).numpy().tobytes())
        digests.append(digest.hexdigest())
    return digests


@pytest.mark.parametrize("micro_batch", [1, 2])
@pytest.mark.parametrize("ranks", [1, 2, 4])
def test_ranks_and_micro_batches_share_the_same_tokens(packed: MakeRun, ranks: int, micro_batch: int) -> None:
    overrides = ("pretrain.batch_tokens=512", f"pretrain.micro_batch={micro_batch}")
    reference = Job.prepare(packed("pretrain.batch_tokens=512"), 1)
    job = Job.prepare(packed(*overrides), ranks)
    assert trained_digests(job.loader, ranks, 6) == trained_digests(reference.loader, 1, 6)
    assert job.plan.digest(0, 48) == reference.plan.digest(0, 48)


@pytest.mark.parametrize("engine", ["single", "deepspeed", "megatron"])
def test_the_engine_has_no_say_in_the_order(packed: MakeRun, engine: str) -> None:
    assert Order.open(packed(f"pretrain.engine={engine}")).plan.digest(0, 48) == Order.open(packed()).plan.digest(0, 48)


ALL = "all: {tokens: 3072, mixture: {inhouse: 0.8, english: 0.2}}"


@pytest.mark.parametrize(
    "stages",
    [
        pytest.param("all: {tokens: 30720, mixture: {inhouse: 0.8, english: 0.2}}", id="extended"),
        pytest.param(f"{ALL}, more: {{tokens: 3072, mixture: {{english: 1}}}}", id="a stage appended"),
    ],
)
def test_what_comes_later_changes_no_trained_token(packed: MakeRun, stages: str) -> None:
    before = trained_digests(Job.prepare(packed(), 1).loader, 1)
    assert trained_digests(Job.prepare(packed(f"pretrain.stages={{{stages}}}"), 1).loader, 1) == before


def test_a_source_appended_later_changes_no_trained_sequence(packed: MakeRun, tmp_path: Path) -> None:
    one = "first: {tokens: 3072, mixture: {inhouse: 1}}"
    digests: list[str] = []
    for stages in (one, f"{one}, then: {{tokens: 3072, mixture: {{inhouse: 0.5, english: 0.5}}}}"):
        run = packed(f"pretrain.stages={{{stages}}}", f"run.dir={tmp_path}/run-{len(digests)}")
        for made in ("tokens", "packed"):
            shutil.rmtree(run.run.dir / made)
        pack_tokens(run)
        digests.append(Job.prepare(run, 1).plan.digest(0, 48))
    assert digests[0] == digests[1]


WEIGHTS = st.dictionaries(st.sampled_from(["ja", "en", "code"]), st.floats(0.05, 1), min_size=1)
STAGES = st.lists(st.tuples(st.integers(1, 2500), WEIGHTS), min_size=1, max_size=3)


def thousands(seed: int, stages: Sequence[tuple[int, dict[str, float]]], names: Sequence[str]) -> list[str]:
    sizes = {"ja": 700, "en": 90, "code": 31}
    sources = {name: {"4096": Packing("4096", sizes[name], name)} for name in names}
    plan = SamplePlan(seed, [PlannedStage(samples, weights) for samples, weights in stages], sources)
    return [plan.digest(at, at + 1000) for at in range(0, len(plan) - 999, 1000)]


@given(st.integers(0, 2**63 - 1), STAGES, st.integers(0, 2000), WEIGHTS)
@settings(max_examples=8, deadline=None)
def test_the_digest_of_every_thousand_samples_outlives_what_is_added(
    seed: int, stages: list[tuple[int, dict[str, float]]], more: int, appended: dict[str, float]
) -> None:
    used = sorted({name for _, weights in stages for name in weights})
    before = thousands(seed, stages, used)
    longer = [*stages[:-1], (stages[-1][0] + more, stages[-1][1])]
    assert thousands(seed, longer, used)[: len(before)] == before
    assert thousands(seed, [*stages, (more + 1, appended)], ["code", "ja", "en"])[: len(before)] == before
