"""The train stage: build the parts, run the loop, leave checkpoints and measurements.

metrics.jsonl       one line per step and per evaluation
step-XXXXXXXX/      checkpoints, see pretrain/checkpoint/commit.py
"""

from __future__ import annotations

import logging
from contextlib import nullcontext

import torch

from configs.artifact import Artifact, Builder
from configs.progress import Progress
from configs.schema.run import Run
from pretrain import ranks
from pretrain.checkpoint.commit import latest, remove_partial
from pretrain.checkpoint.reader import CheckpointReader
from pretrain.engines.base import StateReader
from pretrain.evaluations import evaluate_base
from pretrain.job import Job, Progressed
from pretrain.loop import run_stages
from pretrain.metrics import Metrics
from pretrain.metrics_file import METRICS, read_metrics
from pretrain.session import Session
from pretrain.stage import train_plan
from pretrain.summary import summary

_log = logging.getLogger(__name__)


def train(run: Run) -> Artifact:
    """Train to the end, from the newest whole checkpoint if there is one.

    Raises:
        UserError: if an earlier stage is not finished, the layout is impossible, too many steps are skipped, or the
            disk is full.
    """
    plan = train_plan(run)
    world_size = ranks.join()
    builder = plan.build() if ranks.rank() == 0 else None
    complete = ranks.from_first(builder is not None and builder.complete is not None)
    if complete:
        _log.info("%s is complete", plan.dir)
        return Artifact.open(plan.dir)
    torch.use_deterministic_algorithms(not torch.cuda.is_available())
    if ranks.rank() == 0:
        remove_partial(plan.dir)
    found = ranks.from_first(latest(plan.dir) if ranks.rank() == 0 else None)
    done = Progressed.from_json(found.manifest["config"]) if found is not None else Progressed()
    job = Job.prepare(run, Artifact.open(plan.upstream["tokens"]), world_size)
    with (
        Metrics(plan.dir, run.run.dir / "tensorboard", done.step) if ranks.rank() == 0 else nullcontext() as metrics,
        Progress("train", job.tokens, "tokens", before=done.step * job.batch_tokens) as progress,
    ):
        session = Session.begin(run, job, world_size, done, metrics, progress)
        reader: StateReader = CheckpointReader(found) if found is not None else session.graft.reader
        evaluate_base(session)
        run_stages(session, reader)
    ranks.wait_for_all()
    if builder is not None:
        return _finish(run, builder, job)
    return Artifact(plan.dir, {})


def _finish(run: Run, builder: Builder, job: Job) -> Artifact:
    checkpoint = latest(builder.dir)
    assert checkpoint is not None
    builder.include(checkpoint)
    builder.adopt(METRICS)
    tokens = Artifact.open(train_plan(run).upstream["tokens"])
    artifact = builder.finish(summary(run, job, tokens, checkpoint, read_metrics(builder.dir)))
    _log.info("%d steps; %s", job.steps, artifact.dir)
    return artifact
