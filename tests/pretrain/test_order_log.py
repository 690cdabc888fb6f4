"""The digests of the order, thousand by thousand, where steps are left out among them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from configs.schema.run import Run
from pretrain.job import Job
from pretrain.metrics import Metrics
from pretrain.metrics_file import read_metrics
from pretrain.order_log import write_order
from pretrain.rollbacks import Rollback

MakeRun = Callable[..., Run]


def logged(place: Path, job: Job, rollbacks: list[Rollback], *calls: tuple[int, int]) -> list[dict[str, Any]]:
    with Metrics(place, place / "boards", 0) as metrics:
        for before, step in calls:
            write_order(metrics, job, rollbacks, before, step)
    return read_metrics(place)


def test_a_gap_over_several_thousand_is_named_in_each(packed: MakeRun, tmp_path: Path) -> None:
    job = Job.prepare(packed("pretrain.stages.all.tokens=204800"), 1)  # 800 steps of 4 samples
    # As a run goes: to the gap, over it, on to the last step.
    calls = [(0, 240), (240, 520), *((step - 1, step) for step in range(521, 801))]
    lines = logged(tmp_path, job, [Rollback(240, 520, 300)], *calls)
    assert [(line["step"], line["samples"], line.get("without")) for line in lines] == [
        (520, [0, 1000], [[960, 1000]]),
        (520, [1000, 2000], [[1000, 2000]]),
        (750, [2000, 3000], [[2000, 2080]]),
        (800, [3000, 3200], None),
    ]
    assert [line["sha256"] for line in lines] == [
        job.plan.digest(0, 960),
        job.plan.digest(0, 0),
        job.plan.digest(2080, 3000),
        job.plan.digest(3000, 3200),
    ]


def test_a_thousand_is_logged_when_it_is_full_and_not_before(packed: MakeRun, tmp_path: Path) -> None:
    job = Job.prepare(packed("pretrain.stages.all.tokens=204800"), 1)
    assert logged(tmp_path, job, [], (0, 249)) == []
    [line] = logged(tmp_path, job, [], (249, 250), (250, 251))
    assert (line["step"], line["samples"]) == (250, [0, 1000])
