"""torch's AdamW inside megatron-core's distributed optimizer, and what of each parameter it leaves on this rank."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import torch
from megatron.core import parallel_state
from megatron.core.optimizer import OptimizerConfig
from megatron.core.optimizer.distrib_optimizer import DistributedOptimizer

from pretrain.engines.megatron.layout import Layout
from pretrain.engines.shards import Shard, even_share


def distribute(adamw: torch.optim.AdamW, model: Any) -> Any:
    """Cut what AdamW trains into this rank's share of the gradient buffers.

    Built by its class and not by `get_megatron_optimizer`, which takes Transformer Engine's or Apex' Adam where one
    is installed: moments would then depend on what else is there.
    """
    with torch.no_grad():  # stretches are views of parameters, and AdamW wants leaves
        return DistributedOptimizer(
            adamw,
            OptimizerConfig(optimizer="adam", lr=0.0, use_distributed_optimizer=True),
            grad_scaler=None,
            init_state_fn=None,
            model_chunks=[model],
            per_model_buffers={0: model.buffers},
            data_parallel_group=parallel_state.get_data_parallel_group(with_context_parallel=True),
            data_parallel_group_gloo=None,
            data_parallel_group_idx=torch.distributed.get_rank(parallel_state.get_model_parallel_group()),
            distributed_optimizer_instance_id=0,
        )


def shards(
    optimizer: Any, names: Mapping[str, torch.nn.Parameter], layout: Layout, copies: Collection[str]
) -> Iterator[Shard]:
    """The stretches of this rank's parameters that the optimizer holds here, and all of what is frozen.

    Args:
        copies: names of parameters that other tensor ranks or stages answer for.
    """
    held = {
        parameter: shard
        for parameters, shards in zip(optimizer.model_fp32_groups, optimizer.shard_fp32_groups, strict=True)
        for parameter, shard in zip(parameters, shards, strict=True)
    }
    for name, parameter in names.items():
        start, count, holder = 0, parameter.numel(), held.get(parameter)
        if holder is not None:
            start, count = _stretch(optimizer, parameter)
            owned = (start, start + count)
        elif parameter.requires_grad:
            continue  # another data or context rank holds it
        else:
            owned = even_share(
                count, parallel_state.get_data_parallel_rank(with_context_parallel=True), layout.optimizer_shares
            )
        yield Shard(
            name=name,
            shape=tuple(parameter.shape),
            start=start,
            count=count,
            holder=parameter if holder is None else holder,
            offset=0,
            owned=(0, 0) if name in copies else owned,
            trained=holder is not None,
        )


def _stretch(optimizer: Any, parameter: torch.nn.Parameter) -> tuple[int, int]:
    buffer, dtype, bucket = optimizer.model_param_gbuf_map[parameter]
    stretch = optimizer.gbuf_ranges[buffer][dtype][bucket]["param_map"][parameter]["param"]
    return stretch.start, stretch.size
