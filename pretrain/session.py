"""The parts of a training run that is going on, on this rank."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from pathlib import Path

from configs.artifact import Artifact
from configs.progress import Progress
from configs.schema.run import Run
from pretrain import ranks
from pretrain.document_format import DocumentFormat
from pretrain.engines.base import EngineSpec
from pretrain.evaluate import HeldOut, load_held_out
from pretrain.guards import Guard
from pretrain.initial import Graft, graft
from pretrain.job import Job, Progressed, TrainStage
from pretrain.metrics import Metrics
from pretrain.stage import train_plan
from tokenizer.base import base_folder


@dataclass
class Session:
    """What the loop works with."""

    run: Run
    root: Path
    """Of the checkpoints."""
    job: Job
    graft: Graft
    held_out: HeldOut
    metrics: Metrics | None
    """On rank 0 only."""
    progress: Progress
    guard: Guard
    attempt: str
    """The same word on all ranks, new at every start."""
    world_size: int
    done: Progressed

    @classmethod
    def begin(
        cls, run: Run, job: Job, world_size: int, done: Progressed, metrics: Metrics | None, progress: Progress
    ) -> Session:
        """Read what the run needs beside its job: base, new rows, held-out text.

        Raises:
            UserError: if the base does not fit the tokenizer.
        """
        plan = train_plan(run)
        tokenizer = plan.upstream["tokenizer"]
        corpus = Artifact.open(plan.upstream["corpus"])
        form = DocumentFormat.from_folder(tokenizer / "hf", run.pretrain.end_of_document)
        return cls(
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

    def spec(self, stage: TrainStage) -> EngineSpec:
        """What the engine of a stage is built from."""
        settings = self.run.pretrain
        return EngineSpec(
            hf_dir=self.graft.base,
            vocab_rows=self.graft.vocab_rows,
            first_new_row=self.graft.first_new_row,
            train=stage.train,
            optim=settings.optim,
            parallel=settings.parallel,
            precision=settings.precision,
            recompute=settings.recompute,
            rope_base=stage.rope_base,
            seq_len=max(settings.seq_len, stage.batching.seq_len),  # held-out text is measured in the former
        )
