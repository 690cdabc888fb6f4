"""What an engine really holds between two steps, byte by byte: the other side of the estimate."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch


def state_bytes(engine: Any) -> int:
    """Bytes of weights, fp32 weights beside them, and moments on this rank, after a step.

    Whole storages count, the frameworks' padding included, and each once, however many tensors look at it.
    """
    module, adamw = _one(engine, torch.nn.Module), _one(engine, torch.optim.AdamW)
    storages = {
        storage.data_ptr(): storage.nbytes()
        for tensor in (*_weights(module), *_masters(engine, adamw), *_moments(adamw))
        if (storage := tensor.untyped_storage()).nbytes()
    }
    return sum(storages.values())


def _one(engine: Any, kind: type) -> Any:
    return next(value for value in vars(engine).values() if isinstance(value, kind))


def _weights(module: torch.nn.Module) -> Iterator[torch.Tensor]:
    for parameter in module.parameters():
        yield parameter.data
        if hasattr(parameter, "ds_tensor"):  # ZeRO 3's share of it
            yield parameter.ds_tensor.data


def _masters(engine: Any, adamw: torch.optim.AdamW) -> Iterator[torch.Tensor]:
    for group in adamw.param_groups:
        yield from (parameter.data for parameter in group["params"])
    zero = vars(engine).get("_zero")
    if zero is not None:  # between two steps ZeRO 3 takes them out of the optimizer
        yield from (shard.holder for shard in zero.shards)


def _moments(adamw: torch.optim.AdamW) -> Iterator[torch.Tensor]:
    for state in adamw.state.values():
        yield from (state[kind] for kind in ("exp_avg", "exp_avg_sq"))
