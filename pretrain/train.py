"""The train stage: build the parts, run the loop, leave checkpoints and measurements.

metrics.jsonl       one line per step and per evaluation
step-XXXXXXXX/      checkpoints, see pretrain/checkpoint/commit.py
"""

from __future__ import annotations

import logging
import time
import uuid
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from configs.artifact import Artifact, Builder
from configs.progress import Progress
from configs.schema.run import Run
from pretrain import ranks
from pretrain.checkpoint.commit import latest, prune, remove_partial
from pretrain.checkpoint.hf_reader import HfFolderReader
from pretrain.checkpoint.reader import CheckpointReader
from pretrain.checkpoint.save import save
from pretrain.document_format import DocumentFormat
from pretrain.engines import hf_model
from pretrain.engines.base import Engine, EngineSpec, StateReader
from pretrain.engines.build import build_engine
from pretrain.evaluate import HeldOut, load_held_out, measure
from pretrain.guards import Guard
from pretrain.initial import Graft, graft
from pretrain.job import Job, Progressed, TrainStage
from pretrain.metrics import Metrics
from pretrain.metrics_file import METRICS, read_metrics
from pretrain.schedule import lr_by_group
from pretrain.stage import train_plan
from pretrain.summary import summary
from tokenizer.base import base_folder

_log = logging.getLogger(__name__)


@dataclass
class _Session:
    """The parts of a run that is going on, on this rank."""

    run: Run
    root: Path
    job: Job
    graft: Graft
    held_out: HeldOut
    metrics: Metrics | None
    """On rank 0 only."""
    progress: Progress
    guard: Guard
    attempt: str
    world_size: int
    done: Progressed


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
        session = _begin(run, job, world_size, done, metrics, progress)
        reader: StateReader = CheckpointReader(found) if found is not None else session.graft.reader
        _evaluate_base(session)
        _run_stages(session, reader)
    ranks.wait_for_all()
    if builder is not None:
        return _finish(run, builder, job)
    return Artifact(plan.dir, {})


def _begin(
    run: Run, job: Job, world_size: int, done: Progressed, metrics: Metrics | None, progress: Progress
) -> _Session:
    plan = train_plan(run)
    tokenizer = plan.upstream["tokenizer"]
    corpus = Artifact.open(plan.upstream["corpus"])
    form = DocumentFormat.from_folder(tokenizer / "hf", run.pretrain.end_of_document)
    return _Session(
        run=run,
        root=plan.dir,
        job=job,
        graft=graft(base_folder(run.pretrain.base), tokenizer),
        held_out=load_held_out(run, corpus, form),
        metrics=metrics,
        progress=progress,
        guard=Guard(run.pretrain.guards, done.skipped),
        attempt=ranks.from_first(uuid.uuid4().hex[:8]),
        world_size=world_size,
        done=done,
    )


def _evaluate_base(session: _Session) -> None:
    """Measure the untouched base with its own tokenizer: what the result is compared with."""
    run = session.run
    if session.done.step > 0 or _has_evaluation(session, "base"):
        return
    corpus = Artifact.open(train_plan(run).upstream["corpus"])
    form = DocumentFormat.from_folder(base_folder(run.tokenizer_base), run.pretrain.end_of_document)
    held_out = load_held_out(run, corpus, form)
    rows = hf_model.read_config(session.graft.base).vocab_size
    engine = build_engine(run.pretrain.engine, _spec(session, "all", rows))
    engine.load_state(HfFolderReader(session.graft.base), 0)
    _evaluate(session, engine, held_out, "base")
    engine.close()


def _run_stages(session: _Session, reader: StateReader) -> None:
    run, done = session.run, session.done
    before: str | None = None
    for stage in session.job.stages:
        if done.step >= stage.end and stage is not session.job.stages[-1]:
            before = stage.train
            continue
        # Moments start afresh with a stage that trains other weights.
        fresh = done.step == stage.first and before is not None and before != stage.train
        if fresh:
            done.adam_steps = 0
        engine = build_engine(run.pretrain.engine, _spec(session, stage.train, session.graft.vocab_rows))
        engine.load_state(_WeightsOnly(reader) if fresh else reader, done.adam_steps)
        if done.step == 0:
            _evaluate(session, engine, session.held_out, "trained")
        _run_stage(session, engine, stage)
        engine.close()
        before = stage.train
        checkpoint = ranks.from_first(latest(session.root) if ranks.rank() == 0 else None)
        assert checkpoint is not None
        reader = CheckpointReader(checkpoint)


class _WeightsOnly:
    """A reader without moments."""

    has_moments = False

    def __init__(self, reader: StateReader) -> None:
        self.read = reader.read


def _spec(session: _Session, train_: Any, rows: int) -> EngineSpec:
    settings = session.run.pretrain
    return EngineSpec(
        hf_dir=session.graft.base,
        vocab_rows=rows,
        first_new_row=session.graft.first_new_row,
        train=train_,
        optim=settings.optim,
        parallel=settings.parallel,
        precision=settings.precision,
        recompute=settings.recompute,
    )


def _run_stage(session: _Session, engine: Engine, stage: TrainStage) -> None:
    settings, done, job = session.run.pretrain, session.done, session.job
    while done.step < stage.end:
        loss = _step(session, engine)
        session.progress.advance(job.batch_tokens, f"{stage.name}  step {done.step}/{job.steps}  loss {loss:.3f}")
        last = done.step == stage.end
        if done.step % settings.evaluate.every_steps == 0 or done.step == job.steps:
            _evaluate(session, engine, session.held_out, "trained")
        if done.step % settings.checkpoint.every_steps == 0 or last:
            if session.metrics is not None:
                session.metrics.sync()
            save(session.root, engine, done, session.attempt, session.world_size)
            if ranks.rank() == 0:
                prune(session.root, settings.checkpoint.keep_last)


def _step(session: _Session, engine: Engine) -> float:
    """One optimizer step; gives the mean loss in nats."""
    settings, done, job = session.run.pretrain, session.done, session.job
    tokens = done.step * job.batch_tokens
    rates = lr_by_group(settings.optim, tokens, job.tokens)
    batches = job.loader.micro_batches(done.step, engine.data_rank)
    began = time.monotonic()
    sums = engine.train_step(batches, rates, settings.guards.max_grad_norm)
    done.step += 1
    done.adam_steps += not sums.skipped
    done.labelled += sums.tokens
    done.skipped += sums.skipped
    loss = sums.nll / max(sums.tokens, 1)
    if session.metrics is not None:
        line = {
            "kind": "step",
            "step": done.step,
            "tokens": done.step * job.batch_tokens,
            "loss_nats": loss,
            "labelled": sums.tokens,
            "grad_norm": sums.grad_norm,
            "lr": rates["matrices"],
            "skipped": sums.skipped,
        }
        scalars = {
            "train/loss_nats": loss,
            "train/grad_norm": sums.grad_norm,
            "train/lr": rates["matrices"],
            "train/tokens_per_s": job.batch_tokens / (time.monotonic() - began),
        }
        session.metrics.write(line, scalars)
        _write_order(session)
    session.guard.check(done.step, sums)
    return loss


_ORDER_EVERY = 1000


def _write_order(session: _Session) -> None:
    """Log the digest of each 1,000 samples once they are trained, and of what is left at the end."""
    job, done = session.job, session.done
    assert session.metrics is not None
    now, before = job.samples(done.step), job.samples(done.step - 1)
    for end in range((before // _ORDER_EVERY + 1) * _ORDER_EVERY, now + 1, _ORDER_EVERY):
        first = end - _ORDER_EVERY
        line = {"kind": "order", "step": done.step, "samples": [first, end], "sha256": job.plan.digest(first, end)}
        session.metrics.write(line, {})
    if done.step == job.steps and now % _ORDER_EVERY:
        first = now - now % _ORDER_EVERY
        line = {"kind": "order", "step": done.step, "samples": [first, now], "sha256": job.plan.digest(first, now)}
        session.metrics.write(line, {})


def _evaluate(session: _Session, engine: Engine, held_out: HeldOut, model: str) -> None:
    if not held_out.micro_batches or _has_evaluation(session, model):
        return
    with session.progress.aside(f"held-out text, {model} model") as tell:
        measured = measure(engine, held_out, tell)
    if session.metrics is None:
        return
    line = {
        "kind": "evaluation",
        "step": session.done.step,
        "model": model,
        "sources": {source: one.to_json() for source, one in measured.items()},
    }
    scalars = {f"eval/{model}/bits_per_character/{source}": one.bits_per_character for source, one in measured.items()}
    session.metrics.write(line, scalars)
    told = "  ".join(f"{source} {one.bits_per_character:.3f}" for source, one in measured.items())
    _log.info("step %d  %s  bits per character  %s", session.done.step, model, told)


def _has_evaluation(session: _Session, model: str) -> bool:
    """Whether an earlier attempt measured the model at this step."""
    written = session.metrics is not None and session.metrics.has("evaluation", session.done.step, model)
    return ranks.from_first(written)


def _finish(run: Run, builder: Builder, job: Job) -> Artifact:
    checkpoint = latest(builder.dir)
    assert checkpoint is not None
    builder.include(checkpoint)
    builder.adopt(METRICS)
    tokens = Artifact.open(train_plan(run).upstream["tokens"])
    artifact = builder.finish(summary(run, job, tokens, checkpoint, read_metrics(builder.dir)))
    _log.info("%d steps; %s", job.steps, artifact.dir)
    return artifact
