"""Where ZeRO keeps what: the shards of each stage, their gradients, and how changed weights get back into the model.

DeepSpeed has functions to gather a whole tensor or to write one, which are collective; the state is to be read and
written locally, so this goes to the flat partitions themselves. What it relies on is said at each place; all of it
is without a leading underscore but for the two attributes that link a parameter to its stretch of the partition.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist

from pretrain.engines.shards import Shard, even_share, replica


def whole_dims(parameter: torch.nn.Parameter) -> int:
    """Dimensions of a parameter that ZeRO-3 may already have emptied."""
    return len(getattr(parameter, "ds_shape", parameter.shape))


def whole_count(parameter: torch.nn.Parameter) -> int:
    """Numbers in it, likewise."""
    return int(getattr(parameter, "ds_numel", parameter.numel()))


def _gradient_of(master: torch.Tensor) -> torch.Tensor:
    assert master.grad is not None
    return master.grad


class Zero:
    """The state of a DeepSpeed engine on this rank.

    Args:
        engine: what `deepspeed.initialize` gave.
        optimizer: the torch optimizer that it was given.
        parameters: the model's, by HF name.
        offloaded: whether masters, moments and the gradients for them are in host memory (ZeRO-3 only).
    """

    def __init__(
        self,
        engine: Any,
        optimizer: torch.optim.Optimizer,
        parameters: Mapping[str, torch.nn.Parameter],
        stage: int,
        *,
        offloaded: bool,
    ) -> None:
        from deepspeed.runtime.bf16_optimizer import BF16_Optimizer

        self._sharding: Any = engine.optimizer
        # What DeepSpeed takes for ZeRO-1 in bfloat16: masters are cut up, fp32 gradients whole on every rank.
        self._whole_gradients = isinstance(engine.optimizer, BF16_Optimizer)
        self._optimizer, self._parameters, self._stage, self._offloaded = optimizer, parameters, stage, offloaded
        self._rank, self._size = dist.get_rank(), dist.get_world_size()
        self.shards = [shard for name in parameters if (shard := self._shard(name, parameters[name])) is not None]

    def _shard(self, name: str, parameter: torch.nn.Parameter) -> Shard | None:
        if self._stage == 3:
            return self._partition(name, parameter)
        if self._stage == 0 or not parameter.requires_grad:
            return replica(name, parameter, even_share(parameter.numel(), self._rank, self._size))
        return self._fragment(name, parameter)

    def _fragment(self, name: str, parameter: Any) -> Shard | None:
        """ZeRO 1 and 2: a group's parameters lie end to end, and each rank has one stretch of that in fp32."""
        # _hp_mapping is how DeepSpeed's own universal checkpoint finds a parameter's stretch of the partition;
        # there is no public function that does not gather.
        mapping = parameter._hp_mapping
        if mapping is None:
            return None
        start, count = mapping.lp_fragment_address.start, mapping.lp_fragment_address.numel
        return Shard(
            name=name,
            shape=tuple(parameter.shape),
            start=start,
            count=count,
            holder=self._optimizer.param_groups[mapping.param_group_index]["params"][0],
            offset=mapping.hp_fragment_address.start,
            owned=(start, start + count),
            trained=True,
        )

    def _partition(self, name: str, parameter: Any) -> Shard | None:
        """ZeRO 3: each parameter is cut evenly, the last piece padded."""
        size = parameter.partition_numel()
        start = self._rank * size
        count = min(size, parameter.ds_numel - start)
        if count <= 0:
            return None
        holder, offset = parameter.ds_tensor.float(), 0  # a copy only where it is not fp32 already
        if parameter.requires_grad:
            group, offset, _ = self._sharding.grad_position[self._sharding.get_param_id(parameter)]
            holder = self._sharding.fp32_partitioned_groups_flat[group]
        return Shard(
            name=name,
            shape=tuple(parameter.ds_shape),
            start=start,
            count=count,
            holder=holder,
            offset=offset,
            owned=(start, start + count),
            trained=parameter.requires_grad,
        )

    def gradients(self) -> Iterator[tuple[Shard, torch.Tensor]]:
        """Between the last backward pass and the step: views of the reduced gradients, flat, by shard."""
        for shard in self.shards:
            if shard.trained:
                if self._offloaded:
                    yield shard, shard.of(_gradient_of(shard.holder))
                    continue
                first = shard.start if self._whole_gradients else 0
                yield shard, self._gradient(self._parameters[shard.name]).view(-1)[first : first + shard.count]

    def clear_gradients(self) -> None:
        """Make all of them zero, those too that other ranks answer for."""
        for _, gradient in self.gradients():
            gradient.zero_()
        if self._whole_gradients:
            for flat in self._sharding.fp32_groups_gradients_flat:
                flat.zero_()

    def _gradient(self, parameter: Any) -> torch.Tensor:
        gradient: torch.Tensor
        if self._stage == 3:
            from deepspeed.utils import safe_get_local_grad

            gradient = safe_get_local_grad(parameter)
        elif self._stage == 0:
            gradient = parameter.grad
        else:
            # The public safe_get_full_grad gathers; this is the piece it gathers from.
            gradient = parameter._hp_mapping.get_lp_grad_fragment(parameter._index_in_param_group)
        return gradient

    @contextmanager
    def weights_replaced(self) -> Iterator[None]:
        """Change the shards' weights inside; afterwards every rank computes with them. Collective."""
        if self._stage == 3:
            self._sharding.parameter_offload.partition_all_parameters()
        yield
        if self._stage in (1, 2):
            self._sharding.update_lp_params()
            self._to_frozen_replicas()
        elif self._stage == 3:
            self._to_zero3_partitions()

    @torch.no_grad()
    def _to_frozen_replicas(self) -> None:
        """Round what is frozen into the model, of which each rank has a share."""
        shares = {shard.name: shard for shard in self.shards}
        for name, parameter in self._parameters.items():
            if not parameter.requires_grad and parameter.dtype != torch.float32:
                whole = torch.zeros(parameter.numel(), dtype=torch.float32, device=parameter.device)
                shard = shares[name]
                whole[shard.start : shard.start + shard.count] = shard.of(shard.holder)
                dist.all_reduce(whole)
                parameter.copy_(whole.view(parameter.shape))

    @torch.no_grad()
    def _to_zero3_partitions(self) -> None:
        for shard in self.shards:
            partition: torch.Tensor = self._parameters[shard.name].ds_tensor  # type: ignore[attr-defined]
            partition.view(-1)[: shard.count].copy_(shard.of(shard.holder))
        # Small ones are kept whole on every rank between steps.
        if persistent := self._sharding.persistent_parameters:
            persistent[0].all_gather(persistent)
