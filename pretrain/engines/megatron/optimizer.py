"""torch's AdamW inside megatron-core's distributed optimizer, and what of each parameter it leaves on this rank.

AdamW changes fp32 masters, cut over the data and context ranks. With bf16 they are tensors of their own, from which
the model's weights are rounded after each step; with fp32 they are stretches of the model's weights themselves.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import torch
from megatron.core import parallel_state
from megatron.core.optimizer import OptimizerConfig
from megatron.core.optimizer.distrib_optimizer import DistributedOptimizer

from pretrain.engines.megatron.layout import Layout
from pretrain.engines.shards import Shard, even_share, replica


def distribute(adamw: torch.optim.AdamW, model: Any, layout: Layout) -> Any:
    """Cut what AdamW trains into this rank's share of the gradient buffers.

    Built by its class and not by `get_megatron_optimizer`, which takes Transformer Engine's or Apex' Adam where one
    is installed: moments would then depend on what else is there.
    """
    with torch.no_grad():  # stretches are views of parameters, and AdamW wants leaves
        return DistributedOptimizer(
            adamw,
            OptimizerConfig(
                optimizer="adam",
                lr=0.0,
                bf16=model.config.bf16,
                params_dtype=model.config.params_dtype,
                use_distributed_optimizer=True,
                overlap_param_gather=layout.overlap,
            ),
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
    """The fp32 stretches of this rank's parameters that the optimizer holds here, and those of what is frozen.

    Args:
        copies: names of parameters that other tensor ranks or stages answer for.
    """
    held = _held(optimizer)
    for name, parameter in names.items():
        if parameter in held:
            start, count = _stretch(optimizer, parameter)
            yield Shard(
                name=name,
                shape=tuple(parameter.shape),
                start=start,
                count=count,
                holder=held[parameter],
                offset=0,
                owned=(0, 0) if name in copies else (start, start + count),
                trained=True,
            )
        elif not parameter.requires_grad:
            yield replica(name, parameter, (0, 0) if name in copies else _share_of(parameter.numel(), layout))
        # What is left is held by another data or context rank.


def _held(optimizer: Any) -> dict[torch.nn.Parameter, torch.Tensor]:
    """The master of each parameter of which this rank has a stretch."""
    of_fp32 = zip(optimizer.model_fp32_groups, optimizer.shard_fp32_groups, strict=True)
    of_bf16 = zip(optimizer.model_float16_groups, optimizer.shard_fp32_from_float16_groups, strict=True)
    return {
        parameter: master
        for pairs in (of_fp32, of_bf16)
        for parameters, masters in pairs
        for parameter, master in zip(parameters, masters, strict=True)
    }


def _share_of(count: int, layout: Layout) -> tuple[int, int]:
    """The numbers, of so many, that this rank answers for among those that share the optimizer."""
    rank = parallel_state.get_data_parallel_rank(with_context_parallel=True)
    return even_share(count, rank, layout.optimizer_shares)


def rounded(names: Mapping[str, torch.nn.Parameter]) -> Iterator[Shard]:
    """The frozen weights that the model computes with, where the fp32 ones are others: to be read, never written."""
    for name, parameter in names.items():
        if not parameter.requires_grad and parameter.dtype != torch.float32:
            whole = parameter.numel()
            yield Shard(name, tuple(parameter.shape), 0, whole, parameter, 0, owned=(0, 0), trained=False)


@torch.no_grad()
def to_model(masters: Iterable[Shard], names: Mapping[str, torch.nn.Parameter]) -> None:
    """Round this rank's masters into the weights of the model; other ranks' are still to be gathered."""
    for shard in masters:
        if shard.trained and names[shard.name].dtype != torch.float32:
            replace(shard, offset=shard.start).of(names[shard.name]).copy_(shard.of(shard.holder))


def _stretch(optimizer: Any, parameter: torch.nn.Parameter) -> tuple[int, int]:
    buffer, dtype, bucket = optimizer.model_param_gbuf_map[parameter]
    stretch = optimizer.gbuf_ranges[buffer][dtype][bucket]["param_map"][parameter]["param"]
    return stretch.start, stretch.size
