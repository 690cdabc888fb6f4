"""The parts of a training run that is going on, on this rank."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from transformers import PretrainedConfig

from configs.artifact import Artifact
from configs.journal import note
from configs.progress import Progress
from configs.schema.pretrain import AttentionKernel, Pretrain
from configs.schema.run import Run
from pretrain import ranks
from pretrain.attention.choose import Choice, choose
from pretrain.attention.need import Need
from pretrain.checkpoint.saver import Saver
from pretrain.document_format import DocumentFormat
from pretrain.engines import hf_model, process_group
from pretrain.engines.base import EngineSpec
from pretrain.evaluate import HeldOut, load_held_out, refuse_unmeasured_budgets
from pretrain.flops import ModelFlops
from pretrain.guards import Guard
from pretrain.initial import Graft
from pretrain.job import Job, Progressed, TrainStage
from pretrain.metrics import Metrics
from pretrain.parameters import Parameters
from pretrain.speedometer import Speedometer
from pretrain.stage import train_plan
from pretrain.start import Start
from pretrain.stop import StopRequests
from pretrain.watchdog import STACKS, Watchdog


@dataclass
class Session:
    """What the loop works with."""

    run: Run
    root: Path
    """Of the checkpoints."""
    job: Job
    graft: Graft
    parameters: Parameters
    """Of the model that is trained."""
    form: DocumentFormat
    """Of its documents."""
    held_out: HeldOut
    metrics: Metrics | None
    """On rank 0 only."""
    progress: Progress
    attention: AttentionKernel
    """The kernel, the same on every rank."""
    speedometer: Speedometer
    guard: Guard
    stop: StopRequests
    watchdog: Watchdog
    saver: Saver
    done: Progressed

    @classmethod
    def begin(
        cls,
        run: Run,
        job: Job,
        start: Start,
        metrics: Metrics | None,
        progress: Progress,
        saver: Saver,
        stop: StopRequests,
    ) -> Session:
        """Read what the run needs beside its job: held-out text; and choose the kernel of attention. Collective.

        Raises:
            UserError: if there is no such text to check a budget by, or the kernel that is asked for cannot be used.
        """
        plan = train_plan(run)
        tokenizer = plan.upstream["tokenizer"]
        corpus = Artifact.open(plan.upstream["corpus"])
        config = hf_model.read_config(start.graft.base, start.graft.vocab_rows)
        form = DocumentFormat.from_folder(tokenizer / "hf", run.pretrain.end_of_document)
        held_out = load_held_out(run, corpus, form)
        refuse_unmeasured_budgets(run, held_out)
        attention = _attention(run.pretrain, config)
        if metrics is not None:
            note(plan.dir, "attention", kernel=attention.kernel, passed_over=dict(attention.passed_over))
        return cls(
            run=run,
            root=plan.dir,
            job=job,
            graft=start.graft,
            parameters=start.parameters,
            form=form,
            held_out=held_out,
            metrics=metrics,
            progress=progress,
            attention=attention.kernel,
            speedometer=Speedometer(
                run.pretrain.log, ModelFlops.of(config, start.parameters), run.pretrain.parallel.pipeline
            ),
            guard=Guard(run.pretrain.guards, start.done),
            stop=stop,
            watchdog=Watchdog(run.pretrain.hang_seconds, run.run.dir / STACKS, ranks.rank()),
            saver=saver,
            done=start.done,
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
            attention=self.attention,
            rope_base=stage.rope_base,
            seq_len=max(settings.seq_len, stage.batching.seq_len),  # held-out text is measured in the former
        )


def _attention(settings: Pretrain, config: PretrainedConfig) -> Choice:
    parallel, device = settings.parallel, process_group.device()
    need = Need.of(
        config, hf_model.DTYPES[settings.precision], device, tensor=parallel.tensor, context=parallel.context
    )
    return choose(settings.attention, need)
