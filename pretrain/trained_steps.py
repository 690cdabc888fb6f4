"""Which steps a run has taken, and the proof that it took them in the order that is known now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from configs.artifact import MANIFEST
from configs.atomic_file import read_json
from configs.errors import UserError
from configs.schema.run import Run
from pretrain.checkpoint.directory import complete, step_of
from pretrain.checkpoint.identity import BELONGS
from pretrain.checkpoint.undone import undone
from pretrain.metrics_file import METRICS, read_metrics
from pretrain.order import Order
from pretrain.rollbacks import Rollback, next_taken, read_rollbacks, read_undone
from pretrain.stage import checkpoints_dir

State = Literal["trained", "skipped", "undone", "to come"]


@dataclass(frozen=True)
class TrainedSteps:
    """The steps of a run up to now."""

    directory: Path
    """Of the checkpoints."""
    checkpoints: Sequence[Path]
    """The complete ones, the newest last."""
    before_rollback: frozenset[Path]
    """Those of them that hold what was undone; they go when training goes on."""
    last: int
    """Step, from 1, that was taken last; 0 before any."""
    skipped: frozenset[int]
    """Steps that changed no weight, those that are left out among them unless they were taken and undone."""
    rollbacks: Sequence[Rollback]
    orders: Sequence[Mapping[str, Any]]
    """The lines with digests of the order."""
    _proved: set[int] = field(default_factory=set)

    @classmethod
    def of(cls, run: Run) -> TrainedSteps:
        """Read what a run left; nothing, where it was not begun."""
        directory = checkpoints_dir(run)
        metrics, rollbacks, checkpoints = read_metrics(directory), read_rollbacks(directory), complete(directory)
        steps = [line for line in metrics if line["kind"] == "step"]
        last = max([line["step"] for line in steps] + [step_of(one) for one in checkpoints], default=0)
        undone_steps = [line for line in read_undone(directory) if line["kind"] == "step"]
        return cls(
            directory,
            checkpoints,
            frozenset(undone(directory, rollbacks)),
            last,
            frozenset(line["step"] for line in (*steps, *undone_steps) if line["skipped"]),
            rollbacks,
            [line for line in metrics if line["kind"] == "order"],
        )

    def state(self, step: int) -> State:
        """Whether a step was taken, and whether that holds."""
        if step in self.skipped:
            return "skipped"
        if next_taken(self.rollbacks, step - 1) != step - 1:
            return "undone"
        return "trained" if step <= self.last else "to come"

    def checkpoints_from(self, states: Mapping[int, State]) -> list[str]:
        """Names of the complete checkpoints that hold what some steps learned.

        Args:
            states: by step.
        """
        return [one.name for one in self.checkpoints if any(self._holds(one, *step) for step in states.items())]

    def _holds(self, checkpoint: Path, step: int, state: State) -> bool:
        stays = state == "trained" or (state == "undone" and checkpoint in self.before_rollback)
        return stays and step_of(checkpoint) >= step

    def refuse_other_beginning(self, order: Order) -> None:
        """See that the newest checkpoint began as the order does.

        Raises:
            UserError: if it did not.
        """
        if not self.checkpoints:
            return
        digest = read_json(self.checkpoints[-1] / MANIFEST)["config"].get(BELONGS, {}).get("order")
        if digest != order.plan.digest(0, order.batchings[0].sequences):
            raise self._another_order(self.checkpoints[-1])

    def refuse_other_order(self, order: Order, step: int, sample: int) -> None:
        """See that a sample of a taken step is the one that was trained, by the digest logged of its thousand.

        Raises:
            UserError: if the digests differ.
        """
        if self.state(step) in ("undone", "to come"):
            return
        for number, line in enumerate(self.orders):
            first, end = line["samples"]
            if first <= sample < end and number not in self._proved:
                if end > len(order.plan) or order.plan.digest(first, end, line.get("without", ())) != line["sha256"]:
                    raise self._another_order(self.directory / METRICS)
                self._proved.add(number)

    def _another_order(self, where: Path) -> UserError:
        return UserError(
            f"{where}: was trained in another order than this run file and these tokens give; "
            "trace with the run file that the run was trained with"
        )
