"""What a run measures: JSON lines, and the same as curves for TensorBoard."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from configs.errors import UserError, from_os_error
from pretrain.metrics_file import METRICS, SAMPLES, SPEED, MetricsFile


class Metrics:
    """Writes the measurements of rank 0. Used as a context.

    Where the disk takes no more, nothing is raised, because the other ranks would wait for this one: `failed` says it.

    Args:
        directory: of the checkpoints.
        boards: directory for TensorBoard.
        step: last step that the checkpoint has seen; what a killed attempt wrote of later ones goes.
    """

    def __init__(self, directory: Path, boards: Path, step: int) -> None:
        # It brings protobuf along, and only one process of a run writes curves.
        from torch.utils.tensorboard import SummaryWriter

        self._metrics = MetricsFile(directory, METRICS, step)
        self._speed = MetricsFile(directory, SPEED, step)
        self._samples = MetricsFile(directory, SAMPLES, step)
        self.evaluations = [line for line in self._metrics.kept if line["kind"] == "evaluation"]
        """Every line of one, earlier attempts' included."""
        kept = [*self._metrics.kept, *self._samples.kept]
        self._seen = {(line["kind"], line["step"], line.get("model")) for line in kept}
        self._directory, self._boards = directory, boards
        self._board = SummaryWriter(str(boards), purge_step=step + 1)
        self.failed: UserError | None = None
        """Why nothing is written any more."""

    def has(self, kind: str, step: int, model: str | None = None) -> bool:
        """Whether an earlier attempt already wrote this line."""
        return (kind, step, model) in self._seen

    def write(self, line: dict[str, Any], scalars: dict[str, float]) -> None:
        """Add a line, which must have `kind` and `step`, to what is the same in every run.

        Args:
            scalars: for TensorBoard, by name.
        """
        self._try(self._directory / METRICS, self._metrics.write, line)
        if line["kind"] == "evaluation":
            self.evaluations.append(line)
        self._draw(line["step"], scalars)

    def write_speed(self, line: dict[str, Any], scalars: dict[str, float]) -> None:
        """The same for what depends on times and machines."""
        self._try(self._directory / SPEED, self._speed.write, line)
        self._draw(line["step"], scalars)

    def write_samples(self, line: dict[str, Any]) -> None:
        """The same for what a model writes, with `model` and `samples`, each of which has `prompt` and `text`."""
        self._try(self._directory / SAMPLES, self._samples.write, line)
        # Indented, Markdown is shown as it is.
        texts = [" ".join(f"{one['prompt']} ▸ {one['text']}".split()) for one in line["samples"]]
        self.mark(f"samples/{line['model']}", "\n".join(f"    {text}" for text in texts), line["step"])

    def _draw(self, step: int, scalars: dict[str, float]) -> None:
        for name, value in scalars.items():
            self._try(self._boards, self._board.add_scalar, name, value, step)

    def mark(self, name: str, text: str, step: int) -> None:
        """Leave words at a step for whoever looks at the curves."""
        self._try(self._boards, self._board.add_text, name, text, step)

    def sync(self) -> None:
        """Bring all of it to the disk: a checkpoint must not be newer than the measurements that led to it."""
        for name, file in ((METRICS, self._metrics), (SPEED, self._speed), (SAMPLES, self._samples)):
            self._try(self._directory / name, file.sync)
        self._try(self._boards, self._board.flush)

    def _try(self, where: Path, work: Callable[..., object], *arguments: object) -> None:
        if self.failed is not None:
            return
        try:
            work(*arguments)
        except OSError as error:
            self.failed = from_os_error(OSError(error.errno, error.strerror, str(where)))
            if self.failed is None:
                raise

    def _hear(self, of_thread: threading.ExceptHookArgs) -> None:
        """What a thread raised; TensorBoard's raises it again where it is called next, and `failed` tells it."""
        if not (isinstance(of_thread.exc_value, OSError) and type(of_thread.thread).__name__ == "_AsyncWriterThread"):
            self._hook(of_thread)

    def __enter__(self) -> Metrics:
        self._hook, threading.excepthook = threading.excepthook, self._hear
        return self

    def __exit__(self, *_: object) -> None:
        threading.excepthook = self._hook
        for one in (self._metrics, self._speed, self._samples, self._board):
            # Every line was brought out when it was written; what is left is what the disk has refused already.
            with suppress(OSError):
                one.close()
