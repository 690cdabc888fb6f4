"""A phase that several programs do together, perhaps on several machines, on a file system that all see.

Each begins with every N-th task, of which nobody else thinks first, and goes on with what the others have left; a task
is held by a lock while it is done, which the system gives back if its holder dies. So nothing is lost with a machine,
and nobody waits for one that has not come.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from configs.artifact import TASKS, Claim, Done, Share
from configs.lock import held

_LOOKS_EVERY_S = 0.5


class Runnable(Protocol):
    """What a pool runs; picklable."""

    def run(self) -> Any:
        """Do it, and give what is to be known of it."""


class Claimed(Runnable, Protocol):
    """A task of a directory; its result is JSON data."""

    @property
    def claim(self) -> Claim:
        """Where it is done."""


Run = Callable[[Mapping[str, Runnable]], Iterator[tuple[str, Any]]]
"""Runs all tasks, and gives what each gave."""


@dataclass(frozen=True)
class _Held:
    """A task that is done by whoever comes to it first."""

    task: Claimed

    def run(self) -> Done | None:
        """None if somebody else is at it."""
        with held(self.lock) as mine:
            # Somebody else may have finished it, and let it go, since it was planned.
            return (self.task.claim.finished() or Done(self.task.run())) if mine else None

    @property
    def lock(self) -> Path:
        return self.task.claim.dir / TASKS / f"{self.task.claim.key}.lock"

    def is_free(self) -> bool:
        """Whether nobody is at it, or it is done."""
        with held(self.lock) as mine:
            return mine


def with_others(share: Share, tasks: Mapping[str, Claimed], run: Run) -> Iterator[tuple[str, Any]]:
    """Give the result of every task, whoever has done it; returns when all are done."""
    left = {key: _Held(tasks[key]) for key in in_turn(list(tasks), share)}
    free = left
    while left:
        for key, done in run(dict(free)):
            if done is not None:
                del left[key]
                yield key, done.result
        # Those that others are at; probing all at the beginning would cost more than it saves.
        while left and not (free := {key: task for key, task in left.items() if task.is_free()}):
            time.sleep(_LOOKS_EVERY_S)


def in_turn(keys: list[str], share: Share) -> list[str]:
    """In which order a share comes to the tasks: its own, then those of the next share, and so on.

    >>> in_turn(["a", "b", "c", "d", "e"], Share(1, 3))
    ['b', 'e', 'c', 'a', 'd']
    """
    return [keys[k] for k in sorted(range(len(keys)), key=lambda k: ((k - share.number) % share.of, k))]
