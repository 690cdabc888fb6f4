"""The train stage: build the parts, run the loop, leave checkpoints and measurements.

metrics.jsonl       one line per step and per evaluation
samples.jsonl       what the model writes after some prompts; not part of what the manifest vouches for
speed.jsonl         how fast it was, on which machines; not part of it either
step-XXXXXXXX/      checkpoints, see pretrain/checkpoint/directory.py
"""

from __future__ import annotations

import logging
from contextlib import nullcontext

import torch

from configs.artifact import Artifact, Builder
from configs.progress import Progress
from configs.schema.run import Run
from pretrain import out_of_memory, ranks
from pretrain.evaluations import evaluate_base
from pretrain.job import Job
from pretrain.loop import run_stages
from pretrain.metrics import Metrics
from pretrain.metrics_file import METRICS, read_metrics
from pretrain.session import Session
from pretrain.stage import train_plan
from pretrain.start import Start
from pretrain.stop import FILE, StopRequests
from pretrain.summary import summary
from tokenizer.base import Base

_log = logging.getLogger(__name__)


def train(run: Run) -> Artifact:
    """Train to the end, from the newest whole checkpoint if there is one.

    Raises:
        UserError: if an earlier stage is not finished, the layout is impossible, too many steps are skipped, the
            model forgets more than it may, or the disk or the memory is full.
        UnfinishedError: if it was asked to stop, and has saved.
    """
    world_size = ranks.join()
    ranks.done_by_first(Base.of_model(run).pin)
    plan = train_plan(run)
    builder = plan.build() if ranks.rank() == 0 else None
    complete = ranks.from_first(builder is not None and builder.complete is not None)
    if complete:
        _log.info("%s is complete", plan.dir)
        return Artifact.open(plan.dir)
    torch.use_deterministic_algorithms(not torch.cuda.is_available())
    job = Job.prepare(run, world_size)
    start = Start.of(run, job)
    step = start.done.step
    with (
        Metrics(plan.dir, run.run.dir / "tensorboard", step) if ranks.rank() == 0 else nullcontext() as metrics,
        Progress("train", job.tokens, "tokens", before=step * job.batch_tokens, line_every_s=60) as progress,
        start.saver(run) as saver,
        StopRequests(run.pretrain.stop, run.run.dir / FILE) as stop,
        out_of_memory.told(run.pretrain, ranks.rank()),
    ):
        session = Session.begin(run, job, start, metrics, progress, saver, stop)
        evaluate_base(session)
        with session.watchdog:
            checkpoint = run_stages(session, start.reader)
    ranks.wait_for_all()
    if builder is not None:
        return _finish(run, builder, job, checkpoint)
    return Artifact(plan.dir, {})


def _finish(run: Run, builder: Builder, job: Job, checkpoint: Artifact) -> Artifact:
    builder.include(checkpoint)
    builder.adopt(METRICS)
    artifact = builder.finish(summary(run, job, checkpoint, read_metrics(builder.dir)))
    _log.info("%d steps; %s", job.steps, artifact.dir)
    return artifact
