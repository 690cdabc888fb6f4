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
from pretrain.metrics_file import METRICS, read_metrics
from pretrain.order import Order
from pretrain.stage import checkpoints_dir


@dataclass(frozen=True)
class TrainedSteps:
    """The steps of a run up to now."""

    directory: Path
    """Of the checkpoints."""
    checkpoints: Sequence[Path]
    """The complete ones, the newest last."""
    last: int
    """Step, from 1, that was taken last; 0 before any."""
    skipped: frozenset[int]
    orders: Sequence[Mapping[str, Any]]
    """The lines with digests of the order."""
    _proved: set[int] = field(default_factory=set)

    @classmethod
    def of(cls, run: Run) -> TrainedSteps:
        """Read what a run left; nothing, where it was not begun."""
        directory = checkpoints_dir(run)
        metrics = read_metrics(directory)
        checkpoints = complete(directory)
        steps = [line for line in metrics if line["kind"] == "step"]
        last = max([line["step"] for line in steps] + [step_of(one) for one in checkpoints], default=0)
        skipped = frozenset(line["step"] for line in steps if line["skipped"])
        return cls(directory, checkpoints, last, skipped, [line for line in metrics if line["kind"] == "order"])

    def state(self, step: int) -> Literal["trained", "skipped", "to come"]:
        """Whether a step was taken."""
        if step > self.last:
            return "to come"
        return "skipped" if step in self.skipped else "trained"

    def checkpoints_from(self, step: int) -> list[str]:
        """Names of the complete checkpoints that hold what a step learned."""
        return [one.name for one in self.checkpoints if step_of(one) >= step]

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
        if self.state(step) == "to come":
            return
        for number, line in enumerate(self.orders):
            first, end = line["samples"]
            if first <= sample < end and number not in self._proved:
                if end > len(order.plan) or order.plan.digest(first, end) != line["sha256"]:
                    raise self._another_order(self.directory / METRICS)
                self._proved.add(number)

    def _another_order(self, where: Path) -> UserError:
        return UserError(
            f"{where}: was trained in another order than this run file and these tokens give; "
            "trace with the run file that the run was trained with"
        )
