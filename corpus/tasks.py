"""Work in tasks: each is picklable, leaves its own files, and is done once however often the stage is started.

A phase is the same function over many arguments. It runs here, in this process or in several, and on other machines
too where there is a share of it for each; another executor needs nothing but the tasks.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

from configs.artifact import Builder, Claim, Done
from configs.child import end_with
from configs.progress import Progress
from corpus.shares import Runnable, with_others

ArgumentT = TypeVar("ArgumentT")

# Starting a process and loading the kernels in it takes as long as this much work.
_WORTH_A_PROCESS_BYTES = 32_000_000


@dataclass(frozen=True)
class Task(Generic[ArgumentT]):
    """One piece of work; `work` must be a module-level function."""

    claim: Claim
    work: Callable[[Claim, ArgumentT], Any]
    argument: ArgumentT

    def run(self) -> Any:
        """Do it and leave the marker; gives the small result that later steps need."""
        return self.claim.done(self.work(self.claim, self.argument)).result


def run_phase(
    builder: Builder,
    phase: str,
    work: Callable[[Claim, ArgumentT], Any],
    arguments: Mapping[str, tuple[ArgumentT, int]],
    workers: int,
) -> dict[str, Any]:
    """Run `work` for every argument that an earlier attempt did not finish.

    Args:
        arguments: by task key, each with its size in bytes for the progress display.
        workers: processes; 0 takes one per CPU that the allocation gives.
    Returns:
        The result of every task, in the order of `arguments`.
    """
    results: dict[str, Any] = {}
    tasks: dict[str, Task[ArgumentT]] = {}
    for key, (argument, _) in arguments.items():
        state = builder.task(f"{phase}-{key}")
        if isinstance(state, Done):
            results[key] = state.result
        else:
            tasks[key] = Task(state, work, argument)
    left = sum(arguments[key][1] for key in tasks)
    processes = min(workers or len(os.sched_getaffinity(0)), len(tasks))
    if tasks:
        with Progress(f"{builder.identity['kind']}: {phase}", left, "MB") as progress:
            here = processes <= 1 or left < _WORTH_A_PROCESS_BYTES
            run = _here if here else partial(_in_processes, processes=processes)
            for key, result in run(tasks) if builder.share is None else with_others(builder.share, tasks, run):
                results[key] = result
                progress.advance(arguments[key][1])
    return {key: results[key] for key in arguments}


def _here(tasks: Mapping[str, Runnable]) -> Iterator[tuple[str, Any]]:
    for key, task in tasks.items():
        yield key, task.run()


def _in_processes(tasks: Mapping[str, Runnable], processes: int) -> Iterator[tuple[str, Any]]:
    # Spawned, not forked: a fork of a process with threads may hang.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(processes, mp_context=context, initializer=_end_with_parent, initargs=(os.getpid(),))
    keys = {pool.submit(task.run): key for key, task in tasks.items()}
    try:
        for future in as_completed(keys):
            yield keys[future], future.result()
    finally:
        # Not left to `cancel_futures`: the pool forgets that as soon as nobody holds it any more.
        for future in keys:
            future.cancel()
        pool.shutdown(wait=False)


def _end_with_parent(parent: int) -> None:
    """Do not outlive a parent that was killed; and leave Ctrl-C to it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with(parent)
