"""Where a training run begins: at the base with new rows grafted on, or at the newest whole checkpoint of its own."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from configs.artifact import Artifact
from configs.schema.run import Run
from pretrain import ranks
from pretrain.checkpoint.identity import BELONGS, identity
from pretrain.checkpoint.reader import CheckpointReader
from pretrain.checkpoint.resume import resume
from pretrain.checkpoint.retention import Retention
from pretrain.checkpoint.saver import Saver
from pretrain.checkpoint.undone import discard
from pretrain.engines import hf_model
from pretrain.engines.base import StateReader
from pretrain.initial import Graft, graft
from pretrain.job import Job, Progressed
from pretrain.parameters import Parameters
from pretrain.rollbacks import read_rollbacks, restore_rollbacks
from pretrain.stage import train_plan
from tokenizer.base import Base

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Start:
    """The state to begin with, before anything of it is in memory."""

    root: Path
    """Of the checkpoints."""
    graft: Graft
    parameters: Parameters
    """Of the model that is trained."""
    belongs: dict[str, str]
    """Identity of the run, which its checkpoints carry."""
    checkpoint: Artifact | None
    """The checkpoint that the run goes on from."""
    done: Progressed

    @classmethod
    def of(cls, run: Run, job: Job) -> Start:
        """Find out. Collective.

        Raises:
            UserError: if the base does not fit the tokenizer, or a checkpoint is another run's.
        """
        plan = train_plan(run)
        base = Base.of_model(run)
        ranks.done_by_first(base.folder)  # one fetches it; where the others see the same cache they find it there
        grafted = graft(base.folder(), plan.upstream["tokenizer"])
        parameters = Parameters.of(hf_model.read_config(grafted.base, grafted.vocab_rows))
        tokenizer = Artifact.open(plan.upstream["tokenizer"])
        belongs = identity(grafted.base, tokenizer, job.plan, job.samples(1))
        # What a rollback has undone is gone before anybody looks for a checkpoint, also after a kill between the two.
        ranks.done_by_first(lambda: discard(plan.dir, read_rollbacks(plan.dir)))
        found = resume(plan.dir, belongs, parameters.shapes)
        done = Progressed.from_json(found.manifest["config"]) if found is not None else Progressed()
        if found is not None and ranks.rank() == 0:
            _log.info("goes on from step %d: %s", done.step, found.dir)
        known = done.rollbacks
        done.rollbacks = ranks.done_by_first(lambda: restore_rollbacks(plan.dir, known))
        return cls(plan.dir, grafted, parameters, belongs, found, done)

    @property
    def reader(self) -> StateReader:
        """Gives the state."""
        return self.graft.reader if self.checkpoint is None else CheckpointReader(self.checkpoint)

    def saver(self, run: Run) -> Saver:
        """What saves the run from here on. Collective."""
        return Saver(
            self.root,
            {BELONGS: self.belongs},
            Retention.of(run, self.root, self.done.rollbacks).prune,
            newest=self.checkpoint,
            asynchronous=run.pretrain.checkpoint.asynchronous,
        )
