"""What a run measures: JSON lines that are the same in every run, and TensorBoard beside them.

`metrics.jsonl` has one line per optimizer step and one per evaluation, without times, so that a resumed run has the
same bytes as an undisturbed one. Throughput goes to TensorBoard and to the log.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from torch.utils.tensorboard import SummaryWriter

from configs.atomic_file import atomic_file
from pretrain.metrics_file import METRICS, read_metrics


class Metrics:
    """Writes the measurements of rank 0. Used as a context.

    Args:
        directory: of the checkpoints.
        boards: directory for TensorBoard.
        step: last step that the checkpoint has seen; later lines of a killed attempt are cut off.
    """

    def __init__(self, directory: Path, boards: Path, step: int) -> None:
        path = directory / METRICS
        kept = [line for line in read_metrics(directory) if line["step"] <= step]
        with atomic_file(path) as out:
            out.write("".join(map(_line, kept)).encode())
        self._file = open(path, "a", encoding="utf-8")  # noqa: SIM115  # closed in __exit__
        self._seen = {(line["kind"], line["step"], line.get("model")) for line in kept}
        self._board = SummaryWriter(str(boards), purge_step=step + 1)

    def has(self, kind: str, step: int, model: str | None = None) -> bool:
        """Whether an earlier attempt already wrote this line."""
        return (kind, step, model) in self._seen

    def write(self, line: dict[str, Any], scalars: dict[str, float]) -> None:
        """Add a line, which must have `kind` and `step`; `scalars` go to TensorBoard."""
        self._file.write(_line(line))
        self._file.flush()
        for name, value in scalars.items():
            self._board.add_scalar(name, value, line["step"])

    def sync(self) -> None:
        """Bring every line to the disk: a checkpoint must not be newer than the measurements that led to it."""
        os.fsync(self._file.fileno())

    def __enter__(self) -> Metrics:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._board.close()


def _line(line: dict[str, Any]) -> str:
    return json.dumps(line, sort_keys=True, allow_nan=True) + "\n"
