"""This process among the processes of a run; alone when no launcher says otherwise."""

from __future__ import annotations

import os
from typing import Any, TypeVar

import torch.distributed as dist

from pretrain.engines import process_group

ValueT = TypeVar("ValueT")


def rank() -> int:
    """Number of this process, from 0."""
    return int(os.environ.get("RANK", "0"))


def join() -> int:
    """Join the other processes, if there are any; gives how many there are.

    Raises:
        UserError: if the launcher's variables are incomplete.
    """
    size = process_group.world_size()
    if size > 1:
        process_group.start()
    return size


def from_first(value: ValueT) -> ValueT:
    """The value that rank 0 has, on every rank; waits for all."""
    if not dist.is_initialized():
        return value
    box: list[Any] = [value]
    dist.broadcast_object_list(box, src=0)
    result: ValueT = box[0]
    return result


def wait_for_all() -> None:
    """Return when every rank is here."""
    if dist.is_initialized():
        dist.barrier()
