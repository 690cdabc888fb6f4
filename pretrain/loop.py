"""The training loop: stage after stage, an engine each, with evaluations and checkpoints in between."""

from __future__ import annotations

import gc
import math

from configs.artifact import Artifact
from configs.errors import AgreedError, UnfinishedError
from pretrain import ranks
from pretrain.checkpoint.reader import CheckpointReader
from pretrain.engines.base import Engine, StateReader
from pretrain.engines.build import build_engine
from pretrain.evaluations import evaluate_trained, why_to_stop
from pretrain.going_back import go_back, pass_over
from pretrain.guards import GoBackError
from pretrain.job import TrainStage
from pretrain.prefetch import Prefetch
from pretrain.session import Session
from pretrain.step import take_step, tell_speed


def run_stages(session: Session, first: StateReader) -> Artifact:
    """Train all stages that are not done; gives the last checkpoint.

    Args:
        first: the state to begin with: of the newest checkpoint, or of the grafted base.
    Raises:
        UserError: if too many steps are skipped, the model forgets more than it may, or the disk is full.
        UnfinishedError: if it was asked to stop, and has saved.
        GoBackError: if training went wrong; what it goes back to, and what it leaves out, is written down.
    """
    if (early := _forgets_too_much(session)) is not None:
        raise early
    done = session.done
    before: str | None = None
    checkpoint: Artifact | None = None
    for stage in session.job.stages:
        if done.step >= stage.end and stage is not session.job.stages[-1]:
            before = stage.train
            continue
        # Moments start afresh with a stage that trains other weights.
        fresh = done.step == stage.first and before is not None and before != stage.train
        if fresh:
            done.adam_steps = 0
        reader = first if checkpoint is None else CheckpointReader(checkpoint)
        engine = build_engine(session.run.pretrain.engine, session.spec(stage))
        engine.load_state(_WeightsOnly(reader) if fresh else reader, done.adam_steps)
        if isinstance(reader, CheckpointReader):
            reader.close()
        _prepare_saves(session, engine)
        if done.step == 0:
            evaluate_trained(session, engine)
        try:
            with _prefetch(session, engine, stage) as batches_of:
                _run_stage(session, engine, stage, batches_of)
        except GoBackError:
            session.watchdog.rest()
            go_back(session, stage)
            engine.close()
            raise
        engine.close()
        del engine
        gc.collect()  # the next one needs the memory of this one
        before = stage.train
        checkpoint = session.saver.wait()
    assert checkpoint is not None
    return checkpoint


def _prepare_saves(session: Session, engine: Engine) -> None:
    settings, job = session.run.pretrain.checkpoint, session.job
    every = range(settings.every_steps, job.steps + 1, settings.every_steps)
    saves = sorted({*every, *(stage.end for stage in job.stages)})
    everything = any(stage.train == "all" for stage in job.stages)
    session.saver.prepare(
        engine,
        lambda name: everything or name in session.parameters.embeddings,
        settings,
        saves,
        goes_back=session.run.pretrain.guards.rollback_after is not None,
    )


class _WeightsOnly:
    """A reader without moments."""

    has_moments = False

    def __init__(self, reader: StateReader) -> None:
        self.read = reader.read


def _prefetch(session: Session, engine: Engine, stage: TrainStage) -> Prefetch:
    loader, data_rank = session.job.loader, engine.data_rank
    return Prefetch(lambda step: loader.micro_batches(step, data_rank), stage.end)


def _run_stage(session: Session, engine: Engine, stage: TrainStage, batches_of: Prefetch) -> None:
    settings, done, job = session.run.pretrain, session.done, session.job
    loss = math.nan
    while done.step < stage.end:
        session.watchdog.beat()
        if not pass_over(session, stage):
            loss = take_step(session, engine, stage, batches_of)
            session.progress.advance(job.batch_tokens, f"{stage.name}  step {done.step}/{job.steps}  loss {loss:.3f}")
        session.watchdog.beat()
        session.saver.poll()
        last = done.step == stage.end
        if session.speedometer.steps and (done.step % settings.log.every_steps == 0 or last):
            tell_speed(session, engine, stage, loss)
            _refuse_unwritten(session)
        early: AgreedError | None = None
        if done.step % settings.evaluate.every_steps == 0 or last:
            evaluate_trained(session, engine)
            session.watchdog.beat()
            early = _forgets_too_much(session)
        early = early or _asked_to_stop(session)
        if done.step % settings.checkpoint.every_steps == 0 or last or early is not None:
            if session.metrics is not None:
                session.metrics.sync()
            _refuse_unwritten(session)
            session.saver.start(engine, done.step, done.to_json())
        if early is not None:
            session.watchdog.rest()  # the save has a time limit of its own
            session.saver.wait()
            if isinstance(early, UnfinishedError):
                session.stop.obeyed()
            raise early
    session.watchdog.rest()


def _refuse_unwritten(session: Session) -> None:
    """Raise an AgreedError on all ranks if what was measured could not be written down. Collective."""
    failed = session.metrics.failed if session.metrics is not None else None
    why = ranks.from_first(None if failed is None else str(failed))
    if why is not None:
        raise AgreedError(why)


def _forgets_too_much(session: Session) -> AgreedError | None:
    why = why_to_stop(session)
    return AgreedError(why) if why is not None else None


def _asked_to_stop(session: Session) -> UnfinishedError | None:
    done, job = session.done, session.job
    why = session.stop.agreed() if done.step < job.steps else None
    if why is None:
        return None
    return UnfinishedError(
        f"training has stopped after step {done.step} of {job.steps}, because {why}; "
        "all is saved, and the same command goes on from there"
    )
