"""Out of memory: which settings of the run file take less of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from configs.errors import UserError
from configs.schema.pretrain import Pretrain


@contextmanager
def told(settings: Pretrain, rank: int) -> Iterator[None]:
    """Train inside: memory that runs out, a GPU's or the host's, is the user's to mend.

    Raises:
        UserError: in place of the allocator's own error, with what to change.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        where = _where(error)
        if where is None:
            raise
        raise UserError(
            f"rank {rank}: out of {where} memory{_wanted(error)}; to need less, change "
            f"{', or '.join(ways_out(settings, on_gpu=where == 'GPU'))}"
        ) from error


def _where(error: Exception) -> str | None:
    """Whose memory ran out; None if it was something else."""
    if isinstance(error, torch.OutOfMemoryError):
        return "GPU"
    # The host's allocator has no error class of its own.
    if isinstance(error, MemoryError) or "DefaultCPUAllocator: can't allocate memory" in str(error):
        return "host"
    return None


def _wanted(error: Exception) -> str:
    found = re.search(r"ried to allocate ([\d.]+ \w+)", str(error))
    return f" (it asked for {found[1]} more)" if found else ""


def ways_out(settings: Pretrain, *, on_gpu: bool) -> list[str]:
    """Settings with their present values, the cheapest first; none that is already as it can be."""
    parallel = settings.parallel
    ways = []
    if settings.micro_batch > 1:
        ways.append(f"pretrain.micro_batch to less than {settings.micro_batch}")
    if settings.recompute == "none":
        ways.append("pretrain.recompute from none to layers")
    if settings.checkpoint.asynchronous and not on_gpu:
        ways.append("pretrain.checkpoint.asynchronous from true to false, so that no copy is kept for the save")
    if settings.engine == "deepspeed" and parallel.zero != "3":
        ways.append(f"pretrain.parallel.zero from {parallel.zero} to 3, over more processes")
    if settings.engine == "deepspeed" and parallel.offload == "none" and on_gpu:
        ways.append("pretrain.parallel.offload from none to optimizer, with zero 3")
    if settings.engine == "megatron":
        ways.append(
            f"pretrain.parallel.tensor to more than {parallel.tensor} or pipeline to more than {parallel.pipeline}"
        )
    if settings.engine == "single":
        ways.append("pretrain.engine from single to deepspeed or megatron, over several processes")
    longest = max(settings.seq_len_in(stage) for stage in settings.stages.values())
    return [*ways, f"pretrain.seq_len to less than {max(longest, settings.seq_len)}"]
