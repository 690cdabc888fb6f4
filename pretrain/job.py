"""What a training run is before it runs: order, steps, stages, and what a checkpoint must remember."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from configs.artifact import Artifact
from configs.errors import UserError
from configs.schema.run import Run
from pretrain.loader import Loader
from pretrain.packed_source import open_sources, planned_source
from pretrain.sample_plan import PlannedStage, SamplePlan
from pretrain.stage import mixed_sources


@dataclass(frozen=True)
class TrainStage:
    """Optimizer steps [first, end) of a stage."""

    name: str
    first: int
    end: int
    train: Literal["all", "new_rows"]


@dataclass
class Progressed:
    """How far a run is; a checkpoint holds it, and resuming needs nothing else."""

    step: int = 0
    """Optimizer steps taken, skipped ones included."""
    adam_steps: int = 0
    """Steps since the moments started, skipped ones left out."""
    labelled: int = 0
    """Tokens that were predicted."""
    skipped: int = 0
    """Steps that were skipped."""

    def to_json(self) -> dict[str, int]:
        """For the checkpoint's manifest."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Progressed:
        """Back from the manifest."""
        return cls(**{name: int(data[name]) for name in ("step", "adam_steps", "labelled", "skipped")})


@dataclass(frozen=True)
class Job:
    """A run's order and stages."""

    plan: SamplePlan
    loader: Loader
    stages: tuple[TrainStage, ...]
    batch_tokens: int
    batch_sequences: int

    @property
    def tokens(self) -> int:
        """Tokens of all steps, padding included."""
        return self.steps * self.batch_tokens

    @property
    def steps(self) -> int:
        """Optimizer steps of all stages."""
        return self.stages[-1].end

    @classmethod
    def prepare(cls, run: Run, tokens: Artifact) -> Job:
        """Lay out a run over packed tokens.

        Raises:
            UserError: if a source of the mixture has no sequences or too small a weight, or the token shards are
                damaged.
        """
        settings = run.pretrain
        names = mixed_sources(run)
        sources = open_sources(tokens, names)
        stages, planned, first = [], [], 0
        for name, stage in settings.stages.items():
            steps = -(-stage.tokens // settings.batch_tokens)
            stages.append(TrainStage(name, first, first + steps, stage.train))
            planned.append(PlannedStage(steps * settings.batch_sequences, stage.mixture))
            first += steps
        described = {name: planned_source(tokens, name, len(sources[name])) for name in names}
        try:
            plan = SamplePlan(run.run.seed, planned, described)
        except ValueError as error:
            raise UserError(f"pretrain.stages: {error}") from None
        loader = Loader(
            plan,
            sources,
            seq_len=settings.seq_len,
            batch=settings.batch_sequences,
            micro_batch=settings.micro_batch,
            padding=int(tokens.counts["end"]),
        )
        return cls(plan, loader, tuple(stages), settings.batch_tokens, settings.batch_sequences)

    def epochs(self, tokens: Artifact) -> dict[str, float]:
        """How often each source is gone through in the whole run."""
        taken = self.plan.taken(len(self.plan))
        return {name: count / tokens.counts["sources"][name]["sequences"] for name, count in taken.items()}
