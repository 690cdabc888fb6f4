"""The processes of a stage: started when there is work that is worth them, kept from phase to phase."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from types import TracebackType
from typing import Any

from configs.child import end_with
from configs.errors import UserError
from corpus.shares import Runnable

# Starting a process and loading the kernels in it takes as long as this much work.
_WORTH_A_PROCESS_BYTES = 32_000_000
# jemalloc has handlers for fork, and begins its own thread anew.
_ALLOCATORS = "jemalloc_bg_thd"


class Workers:
    """So many processes at most; this one alone does what is not worth another. Used as a context.

    Args:
        count: 0 takes one per CPU that the allocation gives.
    """

    def __init__(self, count: int) -> None:
        self.count = count or len(os.sched_getaffinity(0))
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Workers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=False)
            self._pool = None

    def run(self, tasks: Mapping[str, Runnable], size: int) -> Iterator[tuple[str, Any]]:
        """Run all tasks, and give what each gave, as they end; the processes are there when this returns.

        Args:
            size: bytes of all of them together.
        Raises:
            UserError: if a process was killed.
        """
        if self._pool is None and min(self.count, len(tasks)) > 1 and size >= _WORTH_A_PROCESS_BYTES:
            self._pool = _started(self.count)
        if self._pool is None:
            return ((key, task.run()) for key, task in tasks.items())
        return self._in_processes(self._pool, tasks)

    def _in_processes(self, pool: ProcessPoolExecutor, tasks: Mapping[str, Runnable]) -> Iterator[tuple[str, Any]]:
        keys = {pool.submit(task.run): key for key, task in tasks.items()}
        try:
            for future in as_completed(keys):
                yield keys[future], future.result()
        except BrokenProcessPool:
            raise UserError(
                "a process that did a part of the work was killed from outside, most often because memory ran out; "
                "what is finished is kept: run the same command again, with fewer corpus.workers where memory is short"
            ) from None
        finally:
            # Not left to `cancel_futures`: the pool forgets that as soon as nobody holds it any more.
            for future in keys:
                future.cancel()


def _started(count: int) -> ProcessPoolExecutor:
    """Processes that have loaded what this one has, if that is safe.

    A copy of a process with other threads may wait for ever for what one of them held; then each begins from nothing.
    """
    context = multiprocessing.get_context("fork" if _is_alone() else "spawn")
    pool = ProcessPoolExecutor(count, mp_context=context, initializer=_end_with_parent, initargs=(os.getpid(),))
    # Ctrl-C waits until those who are to leave it to this process do.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        pool.submit(os.getpid)  # copies are made with the first task, all at once
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return pool


def _is_alone() -> bool:
    """Whether this process has one thread, beside that of Arrow's allocator, which lets itself be copied."""
    tasks, own = Path("/proc/self/task"), str(threading.get_native_id())
    return all((task / "comm").read_text().strip() == _ALLOCATORS for task in tasks.iterdir() if task.name != own)


def _end_with_parent(parent: int) -> None:
    """Do not outlive a parent that was killed; and leave Ctrl-C to it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with(parent)
