"""Work in tasks: each is picklable, leaves its own files, and is done once however often the stage is started.

A phase is the same function over many arguments. It runs here, in this process or in several, and on other machines
too where there is a share of it for each; another executor needs nothing but the tasks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

from configs.artifact import Builder, Claim, Done
from configs.progress import Progress
from corpus.shares import with_others
from corpus.workers import Workers

ArgumentT = TypeVar("ArgumentT")


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
    workers: int | Workers,
) -> dict[str, Any]:
    """Run `work` for every argument that an earlier attempt did not finish.

    Args:
        arguments: by task key, each with its size in bytes for the progress display.
        workers: processes, for this phase alone or kept for others; 0 takes one per CPU that the allocation gives.
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
    if tasks:
        left = sum(arguments[key][1] for key in tasks)
        with Workers(workers) if isinstance(workers, int) else nullcontext(workers) as processes:
            run = partial(processes.run, size=left)
            # Processes are started first: the display has a thread of its own.
            found = run(tasks) if builder.share is None else with_others(builder.share, tasks, run)
            with Progress(f"{builder.identity['kind']}: {phase}", left, "MB") as progress:
                for key, result in found:
                    results[key] = result
                    progress.advance(arguments[key][1])
    return {key: results[key] for key in arguments}
