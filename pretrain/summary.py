"""What a finished training run says of itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from configs.artifact import Artifact
from configs.schema.run import Run
from pretrain.forgetting import forgotten
from pretrain.job import Job
from pretrain.measured import by_language, measured_in
from pretrain.rollbacks import known_to, samples_left_out


def summary(run: Run, job: Job, checkpoint: Artifact, metrics: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Counts for the manifest, from the metrics and the last checkpoint."""
    steps = [line for line in metrics if line["kind"] == "step"]
    rollbacks = known_to(checkpoint.manifest["config"])
    without = samples_left_out(rollbacks, job.samples, 0, len(job.plan))
    by_step = forgotten(metrics, {name: source.language for name, source in run.corpus.sources.items()})
    return {
        "steps": job.steps,
        "tokens_trained": checkpoint.manifest["config"]["labelled"],
        "skipped_steps": checkpoint.manifest["config"]["skipped"],
        "final_loss_nats": steps[-1]["loss_nats"],
        "rollbacks": [one.to_json() for one in rollbacks],
        "epochs": job.plan.epochs(without),
        "sequences": job.plan.taken(len(job.plan), without),
        "tokens": tokens_by_source(job, without),
        "order": [line["sha256"] for line in metrics if line["kind"] == "order"],
        "bits_per_character": bits_per_character(run, metrics),
        "forgetting": by_step[max(by_step)] if by_step else {},
        "checkpoint": checkpoint.dir.name,
    }


def tokens_by_source(job: Job, without: Sequence[tuple[int, int]]) -> dict[str, int]:
    """Positions of the sequences that were taken of each source, padding included.

    Args:
        without: ranges [first, end) of samples that were left out.
    """
    totals: dict[str, int] = {}
    for stage in job.stages:
        first, end = job.samples(stage.first), job.samples(stage.end)
        left_out = [(max(first, a), min(end, b)) for a, b in without if a < end and b > first]
        for sign, (a, b) in [(1, (first, end)), *((-1, one) for one in left_out)]:
            before, after = job.plan.taken(a), job.plan.taken(b)
            for name, sequences in after.items():
                here = sign * (sequences - before[name]) * stage.batching.seq_len
                totals[name] = totals.get(name, 0) + here
    return totals


def bits_per_character(run: Run, metrics: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """By language: `base`, `initial` (grafted, before training) and `trained`; empty without held-out text."""
    language_of = {name: source.language for name, source in run.corpus.sources.items()}
    evaluations = [line for line in metrics if line["kind"] == "evaluation"]
    grafted = [line for line in evaluations if line["model"] == "trained"]
    columns = {
        "base": next((line for line in evaluations if line["model"] == "base"), None),
        "initial": grafted[0] if grafted else None,
        "trained": grafted[-1] if grafted else None,
    }
    table: dict[str, dict[str, float]] = {}
    for column, line in columns.items():
        if line is None:
            continue
        for language, one in by_language(measured_in(line), language_of).items():
            table.setdefault(language, {})[column] = one.bits_per_character
    return table
