"""The processes of a run, as torch.distributed knows them."""

from __future__ import annotations

import os

import torch
import torch.distributed as dist
from torch.distributed import HashStore, TCPStore  # type: ignore[attr-defined]  # documented, not in its __all__
from torch.distributed.constants import default_pg_timeout

from configs.errors import UserError
from configs.listen import bound_to

_VARIABLES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")


def world_size() -> int:
    """Processes of the run, before anything is started.

    Raises:
        UserError: if only some of the launcher's variables are set, or one is no number.
    """
    if "RANK" not in os.environ and "WORLD_SIZE" not in os.environ:
        return 1
    missing = [name for name in _VARIABLES if name not in os.environ]
    if missing:
        raise UserError(
            f"the environment lacks {', '.join(missing)}; start the processes with tsugiki run, srun or torchrun"
        )
    return _number("WORLD_SIZE")


def start() -> torch.device:
    """Join the other processes, once; gives the device of this one.

    nccl where there is a GPU, gloo where there is none. Without a launcher's variables it is a group of one.

    Raises:
        UserError: if only some of the launcher's variables are set, or this node has fewer GPUs than processes.
    """
    size = world_size()
    local = _number("LOCAL_RANK") if size > 1 or "RANK" in os.environ else 0
    on_gpu = torch.cuda.is_available()
    if on_gpu and local >= torch.cuda.device_count():
        raise UserError(f"process {local} of this node has no GPU, there are {torch.cuda.device_count()}; start fewer")
    device = torch.device("cuda", local) if on_gpu else torch.device("cpu")
    if on_gpu:
        torch.cuda.set_device(device)
    if dist.is_initialized():
        return device
    backend = "nccl" if on_gpu else "gloo"
    if os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True":  # torchrun keeps it
        dist.init_process_group(backend, device_id=device if on_gpu else None)
    else:
        store, rank = (_store(size), _number("RANK")) if "RANK" in os.environ else (HashStore(), 0)
        dist.init_process_group(backend, store=store, rank=rank, world_size=size, device_id=device if on_gpu else None)
    return device


def _store(size: int) -> TCPStore:
    """Where the processes meet: at the first one, at an address that torch by itself would not choose."""
    host, port, first = os.environ["MASTER_ADDR"], _number("MASTER_PORT"), _number("RANK") == 0
    bound = bound_to(host, port) if first else None
    return TCPStore(
        host,
        port,
        size,
        first,
        timeout=default_pg_timeout,
        master_listen_fd=bound.detach() if bound is not None else None,
    )


def device() -> torch.device:
    """What this process computes on, once it has joined the others."""
    return torch.device("cuda", torch.cuda.current_device()) if torch.cuda.is_available() else torch.device("cpu")


def stop() -> None:
    """Leave the other processes; at the end of the program."""
    if dist.is_initialized():
        dist.destroy_process_group()


def _number(name: str) -> int:
    try:
        return int(os.environ[name])
    except ValueError:
        raise UserError(f"the environment variable {name} must be a number, got {os.environ[name]!r}") from None


def sum_over_ranks(values: list[float], device: torch.device) -> list[float]:
    """Each value summed over all processes, in float64; every process gets the same numbers."""
    summed = torch.tensor(values, dtype=torch.float64, device=device)
    dist.all_reduce(summed)
    return [float(value) for value in summed]


def rows_of_all(values: list[float]) -> list[list[float]]:
    """The values of each process, by rank; every process brings equally many."""
    if not dist.is_initialized():
        return [values]
    mine = torch.tensor(values, dtype=torch.float64, device=_device())
    table = [torch.empty_like(mine) for _ in range(dist.get_world_size())]
    dist.all_gather(table, mine)
    return [row.tolist() for row in torch.stack(table).cpu()]


def largest(value: int) -> int:
    """The largest value that a process has, on every one."""
    if not dist.is_initialized():
        return value
    most = torch.tensor(value, device=_device())
    dist.all_reduce(most, dist.ReduceOp.MAX)
    return int(most)


def _device() -> torch.device:
    """Where the group takes its numbers from."""
    return torch.device("cuda", torch.cuda.current_device()) if dist.get_backend() == "nccl" else torch.device("cpu")


def sum_by_source(
    totals: dict[int, tuple[float, int]], device: torch.device, *, count_here: bool = True
) -> dict[int, tuple[float, int]]:
    """Losses and tokens by source, summed over all processes.

    Args:
        count_here: whether this process contributes; one that holds a copy of another's numbers does not.
    """
    width = torch.tensor(max(totals, default=-1) + 1, device=device)
    dist.all_reduce(width, dist.ReduceOp.MAX)
    table = torch.zeros(int(width), 3, dtype=torch.float64, device=device)
    for source, (nll, tokens) in totals.items() if count_here else ():
        table[source] = torch.tensor([nll, tokens, 1], dtype=torch.float64)
    dist.all_reduce(table)
    return {source: (nll, int(tokens)) for source, (nll, tokens, seen) in enumerate(table.tolist()) if seen}
