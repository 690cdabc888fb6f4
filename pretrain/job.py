"""What a training run is before it runs: order, steps, stages, and what a checkpoint must remember."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from configs.errors import AgreedError
from configs.schema.pretrain import Pretrain, Trained
from configs.schema.run import Run
from pretrain.batching import Batching, batchings
from pretrain.loader import Loader
from pretrain.order import Order
from pretrain.rollbacks import Rollback, known_to
from pretrain.sample_plan import SamplePlan


@dataclass(frozen=True)
class TrainStage:
    """Optimizer steps [first, end) of a stage."""

    name: str
    first: int
    end: int
    train: Trained
    batching: Batching
    rope_base: float | None
    """Base of the rotary embedding; none keeps the model's."""


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
    recent: list[tuple[float, float]] = field(default_factory=list)
    """Loss in nats and gradient norm of the last steps that were taken, where a guard compares with them."""
    skipped_in_a_row: int = 0
    """Of the last steps, how many were skipped without one that was taken between them."""
    rollbacks: list[Rollback] = field(default_factory=list)
    """Steps that are left out."""

    def to_json(self) -> dict[str, Any]:
        """For the checkpoint's manifest."""
        return {**asdict(self), "rollbacks": [one.to_json() for one in self.rollbacks]}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Progressed:
        """Back from the manifest."""
        counts = {name: int(data[name]) for name in ("step", "adam_steps", "labelled", "skipped")}
        return cls(
            **counts,
            recent=[(float(loss), float(norm)) for loss, norm in data.get("recent", [])],
            skipped_in_a_row=int(data.get("skipped_in_a_row", 0)),
            rollbacks=known_to(data),
        )


@dataclass(frozen=True)
class Job:
    """A run's order and stages."""

    plan: SamplePlan
    loader: Loader
    stages: tuple[TrainStage, ...]
    batch_tokens: int

    @property
    def tokens(self) -> int:
        """Tokens of all steps, padding included."""
        return self.steps * self.batch_tokens

    @property
    def steps(self) -> int:
        """Optimizer steps of all stages."""
        return self.stages[-1].end

    def samples(self, step: int) -> int:
        """Samples of the first `step` optimizer steps."""
        return self.loader.first_sample(step)

    @classmethod
    def prepare(cls, run: Run, world_size: int) -> Job:
        """Lay out a run over packed tokens.

        Args:
            world_size: processes that train.
        Raises:
            UserError: if an earlier stage is not finished or was made anew since, a source of the mixture has no
                sequences or too small a weight, the token shards are damaged, or a step's sequences cannot be shared
                evenly among the processes.
        """
        stages = _stages(run.pretrain)
        refuse_uneven_shares(run.pretrain, stages, world_size)
        order = Order.open(run)
        loader = Loader(order.plan, order.sources, order.batchings, order.end)
        return cls(order.plan, loader, stages, run.pretrain.batch_tokens)


def _stages(settings: Pretrain) -> tuple[TrainStage, ...]:
    stages = []
    rope_base: float | None = None
    for (name, stage), batching in zip(settings.stages.items(), batchings(settings), strict=True):
        rope_base = stage.rope_base or rope_base
        first = batching.first_step
        stages.append(TrainStage(name, first, first + settings.steps_in(stage), stage.train, batching, rope_base))
    return tuple(stages)


def refuse_uneven_shares(settings: Pretrain, stages: Sequence[TrainStage], world_size: int) -> None:
    """Raise a UserError if the sequences of a step cannot be shared evenly among so many processes."""
    parallel = settings.parallel
    sharded = parallel.tensor * parallel.pipeline * parallel.context
    if world_size % sharded:
        raise AgreedError(
            f"{world_size} process(es) cannot hold whole models of tensor x pipeline x context = {sharded} processes; "
            f"start a multiple of {sharded}, or change pretrain.parallel"
        )
    data_ranks = world_size // sharded
    for stage in stages:
        batching = stage.batching
        if batching.sequences % (data_ranks * batching.micro_batch):
            raise AgreedError(
                f"stage {stage.name!r}: a step of {batching.sequences} sequences (batch_tokens {settings.batch_tokens} "
                f"/ seq_len {batching.seq_len}) cannot be shared evenly among {data_ranks} data ranks with "
                f"{batching.micro_batch} sequence(s) in a forward pass; change pretrain.batch_tokens, "
                f"pretrain.micro_batch or the number of processes"
            )
