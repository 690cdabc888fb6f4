"""Room for checkpoints, looked at before it is needed.

Quotas cannot be seen from here; a save that meets one ends like a full disk, with a message and nothing left behind.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from configs.errors import AgreedError
from configs.schema.pretrain import Checkpoint
from pretrain import ranks
from pretrain.checkpoint.directory import complete


def block_bytes(directory: Path) -> int:
    """The unit in which the file system gives space to files."""
    return os.statvfs(directory).f_frsize


def refuse_save(root: Path, here: int) -> None:
    """See that a checkpoint fits. Collective.

    Args:
        here: bytes that this rank will write.
    Raises:
        AgreedError: on all ranks, if it does not fit.
    """
    needed = sum(ranks.of_all(here))
    free = ranks.from_first(_free(root))
    if needed > free:
        raise AgreedError(
            f"{root}: the next checkpoint takes {shown(needed)}, the file system has {shown(free)} left; free "
            f"{shown(needed - free)} or lower pretrain.checkpoint.keep_last, and run the same command again"
        )


def refuse_run(root: Path, one: int, settings: Checkpoint, saves: Sequence[int], *, goes_back: bool = False) -> None:
    """See that all checkpoints fit that a run keeps at a time, the one being written included. Collective.

    Args:
        one: bytes of a checkpoint over all ranks.
        saves: optimizer steps after which the whole run saves.
        goes_back: whether it keeps some for a rollback.
    Raises:
        AgreedError: on all ranks, if they do not fit.
    """
    count = most_at_a_time(settings, saves, goes_back=goes_back)
    there = sum(path.stat().st_size for kept in complete(root) for path in kept.iterdir())
    missing = ranks.from_first(max(0, count * one - there) - _free(root))
    if missing > 0:
        raise AgreedError(
            f"{root}: this run keeps up to {count} checkpoints of {shown(one)} at a time, {shown(count * one)} in "
            f"all; {shown(missing)} more are needed than the file system has left. Free them, keep fewer "
            "(pretrain.checkpoint.keep_last, keep_best, keep_every_steps), or name another run.dir"
        )


def most_at_a_time(settings: Checkpoint, saves: Sequence[int], *, goes_back: bool = False) -> int:
    """Most checkpoints that exist at once: those kept, and the one that is written before one of them goes.

    Args:
        goes_back: whether some are kept for a rollback: one, and the one that will take its place.

    >>> most_at_a_time(Checkpoint(keep_last=2), [500, 1000, 1500, 2000])
    3
    """
    every = settings.keep_every_steps
    milestones = sum(every is not None and step % every == 0 for step in saves)
    return min(len(saves), milestones + settings.keep_best + settings.keep_last + 2 * goes_back + 1)


def _free(root: Path) -> int:
    found = os.statvfs(root)
    return found.f_bavail * found.f_frsize


def shown(count: int) -> str:
    """Bytes for people, never rounded down to nothing."""
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{max(count / 1e6, 0.1):,.1f} MB"
