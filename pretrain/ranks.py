"""This process among the processes of a run; alone when no launcher says otherwise."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

import torch.distributed as dist

from configs.errors import AgreedError
from pretrain.engines import process_group

ValueT = TypeVar("ValueT")


def rank() -> int:
    """Number of this process, from 0."""
    return int(os.environ.get("RANK", "0"))


def size() -> int:
    """How many processes the run has."""
    return dist.get_world_size() if dist.is_initialized() else 1


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


def done_by_first(work: Callable[[], ValueT]) -> ValueT:
    """What `work` gives on rank 0, on every rank; waits for all.

    Raises:
        UserError: on every rank, if it raises one on rank 0; after any other error there, on the other ranks.
    """
    result: ValueT | None = None
    failed: Exception | None = None
    if rank() == 0:
        try:
            result = work()
        except Exception as error:  # raised below, once nobody waits for this rank any more
            failed = error
    told: tuple[Any, str | None] = from_first((result, None if failed is None else f"{failed}"))
    if failed is not None:
        raise failed
    if told[1] is not None:
        raise AgreedError(told[1])
    given: ValueT = told[0]
    return given


def of_all(value: ValueT) -> list[ValueT]:
    """The value of each rank, by rank; waits for all."""
    if not dist.is_initialized():
        return [value]
    values: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(values, value)
    return values


def largest(value: int) -> int:
    """The largest value of any rank, on all; waits for all, and is quick enough for every step."""
    return process_group.largest(value)


def wait_for_all() -> None:
    """Return when every rank is here."""
    if dist.is_initialized():
        dist.barrier()
