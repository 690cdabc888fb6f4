"""The digests of the order that a run writes down, a thousand samples at a time."""

from __future__ import annotations

from typing import Any

from pretrain.job import Job
from pretrain.metrics import Metrics
from pretrain.rollbacks import Rollback, samples_left_out

_EVERY = 1000


def write_order(metrics: Metrics, job: Job, rollbacks: list[Rollback], before: int, step: int) -> None:
    """Log the digest of each 1,000 samples once they are trained, and of what is left at the end of the run.

    Args:
        rollbacks: the samples of their steps are not in the digest; `without` says which those are.
        before: steps that were done when this was called last.
        step: steps that are done now.
    """
    now = job.samples(step)
    ends = [*range((job.samples(before) // _EVERY + 1) * _EVERY, now + 1, _EVERY)]
    if step == job.steps and now % _EVERY:
        ends.append(now)
    for end in ends:
        first = (end - 1) // _EVERY * _EVERY
        line: dict[str, Any] = {"kind": "order", "step": step, "samples": [first, end]}
        without = samples_left_out(rollbacks, job.samples, first, end)
        if without:
            line["without"] = [list(one) for one in without]
        metrics.write({**line, "sha256": job.plan.digest(first, end, without)}, {})
