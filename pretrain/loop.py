"""The training loop: stage after stage, an engine each, with evaluations and checkpoints in between."""

from __future__ import annotations

from pretrain import ranks
from pretrain.checkpoint.commit import latest, prune
from pretrain.checkpoint.reader import CheckpointReader
from pretrain.checkpoint.save import save
from pretrain.engines.base import Engine, StateReader
from pretrain.engines.build import build_engine
from pretrain.evaluations import evaluate_trained
from pretrain.job import TrainStage
from pretrain.session import Session
from pretrain.step import take_step


def run_stages(session: Session, reader: StateReader) -> None:
    """Train all stages that are not done.

    Args:
        reader: the state to begin with: of the newest checkpoint, or of the grafted base.
    Raises:
        UserError: if too many steps are skipped, or the disk is full.
    """
    done = session.done
    before: str | None = None
    for stage in session.job.stages:
        if done.step >= stage.end and stage is not session.job.stages[-1]:
            before = stage.train
            continue
        # Moments start afresh with a stage that trains other weights.
        fresh = done.step == stage.first and before is not None and before != stage.train
        if fresh:
            done.adam_steps = 0
        engine = build_engine(session.run.pretrain.engine, session.spec(stage))
        engine.load_state(_WeightsOnly(reader) if fresh else reader, done.adam_steps)
        if done.step == 0:
            evaluate_trained(session, engine)
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


def _run_stage(session: Session, engine: Engine, stage: TrainStage) -> None:
    settings, done, job = session.run.pretrain, session.done, session.job
    while done.step < stage.end:
        loss = take_step(session, engine)
        session.progress.advance(job.batch_tokens, f"{stage.name}  step {done.step}/{job.steps}  loss {loss:.3f}")
        last = done.step == stage.end
        if done.step % settings.evaluate.every_steps == 0 or done.step == job.steps:
            evaluate_trained(session, engine)
        if done.step % settings.checkpoint.every_steps == 0 or last:
            if session.metrics is not None:
                session.metrics.sync()
            save(session.root, engine, done, session.attempt, session.world_size)
            if ranks.rank() == 0:
                prune(session.root, settings.checkpoint.keep_last)
