"""The train stage: build the parts, run the loop, leave checkpoints and measurements.

metrics.jsonl       one line per step and per evaluation
rollbacks.jsonl     the steps that are left out, if there are any, and what was measured of them
samples.jsonl       what the model writes after some prompts; not part of what the manifest vouches for
speed.jsonl         how fast it was, on which machines; not part of it either
step-XXXXXXXX/      checkpoints, see pretrain/checkpoint/directory.py
"""

from __future__ import annotations

import gc
import logging
from contextlib import nullcontext

import torch

from configs.artifact import Artifact, Builder
from configs.progress import Progress
from configs.schema.run import Run
from pretrain import out_of_memory, ranks
from pretrain.evaluations import evaluate_base
from pretrain.guards import GoBackError
from pretrain.job import Job
from pretrain.loop import run_stages
from pretrain.metrics import Metrics
from pretrain.metrics_file import METRICS, read_metrics
from pretrain.rollbacks import ROLLBACKS
from pretrain.session import Session
from pretrain.stage import checkpoints_dir, train_plan
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
        if builder is not None:  # rank 0 tells it for all
            _log.info("%s is complete", plan.dir)
        return Artifact.open(plan.dir)
    torch.use_deterministic_algorithms(not torch.cuda.is_available())
    job = Job.prepare(run, world_size)
    stop = StopRequests(run.pretrain.stop, run.run.dir / FILE)
    checkpoint: Artifact | None = None
    while checkpoint is None:
        checkpoint = _train_on(run, job, stop)
        gc.collect()  # an engine that is built anew needs the memory of the one before
    ranks.wait_for_all()
    if builder is not None:
        return _finish(run, builder, job, checkpoint)
    return Artifact(plan.dir, {})


def _train_on(run: Run, job: Job, stop: StopRequests) -> Artifact | None:
    """From the newest checkpoint to the last one; None if training went wrong and goes back to an earlier one.

    Going back is beginning again, as after a kill, so that both end with the same bytes.
    """
    start = Start.of(run, job)
    root, step = checkpoints_dir(run), start.done.step
    with (
        Metrics(root, run.run.dir / "tensorboard", step) if ranks.rank() == 0 else nullcontext() as metrics,
        Progress("train", job.tokens, "tokens", before=step * job.batch_tokens, line_every_s=60) as progress,
        start.saver(run) as saver,
        stop,
        out_of_memory.told(run.pretrain, ranks.rank()),
    ):
        session = Session.begin(run, job, start, metrics, progress, saver, stop)
        evaluate_base(session)
        with session.watchdog:
            try:
                return run_stages(session, start.reader)
            except GoBackError:
                return None


def _finish(run: Run, builder: Builder, job: Job, checkpoint: Artifact) -> Artifact:
    builder.include(checkpoint)
    for name in (METRICS, ROLLBACKS):
        if (builder.dir / name).exists():
            builder.adopt(name)
    artifact = builder.finish(summary(run, job, checkpoint, read_metrics(builder.dir)))
    _log.info("%d steps; %s", job.steps, artifact.dir)
    return artifact
