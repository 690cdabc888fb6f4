"""The micro-batches of the next optimizer step, prepared in a thread while this one is computed."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

from pretrain.micro_batch import MicroBatch

_Prepare = Callable[[int], list[MicroBatch]]


class Prefetch:
    """Gives what `prepare` gives, and has it ready if steps are asked for in order. Used as a context.

    Args:
        prepare: the micro-batches of optimizer step `step`; called in one thread, so never twice at a time.
        end: the step at which nobody asks any more.
    """

    def __init__(self, prepare: _Prepare, end: int) -> None:
        self._prepare, self._end = prepare, end
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="micro-batches")
        self._coming: dict[int, Future[list[MicroBatch]]] = {}

    def take(self, step: int) -> list[MicroBatch]:
        """The micro-batches of this step; the next one's are begun.

        Raises:
            Exception: whatever `prepare` raised for this step.
        """
        asked = self._coming.pop(step, None)
        for other in self._coming.values():
            other.cancel()
        batches = asked or self._thread.submit(self._prepare, step)
        self._coming = {step + 1: self._thread.submit(self._prepare, step + 1)} if step + 1 < self._end else {}
        return batches.result()

    def __enter__(self) -> Prefetch:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.shutdown(cancel_futures=True)
