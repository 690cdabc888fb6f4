"""DeepSpeed: ZeRO 0 to 3 over the Hugging Face model.

DeepSpeed shards, gathers and reduces; what a step means is decided here, the same as in the single engine.
Gradients are added up and reduced, weights and moments kept, in fp32, whatever matrices multiply in. Gradients are
masked, measured and clipped in the shards that ZeRO has left on this rank, with DeepSpeed's own clipping turned off.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any

import torch
import torch.distributed as dist

from pretrain.engines import adamw, hf_model, process_group, shards
from pretrain.engines.base import EngineSpec, Group, Limits, StatePart, StateReader, StepSums
from pretrain.engines.gradients import clip
from pretrain.engines.inner_step import InnerStep
from pretrain.engines.new_rows import NewRows
from pretrain.engines.next_tokens import Choice, NextTokens, from_holders
from pretrain.engines.stopwatch import Stopwatch
from pretrain.engines.zero import Zero, whole_count, whole_dims
from pretrain.micro_batch import NO_LABEL, MicroBatch

_LARGEST_BUCKET = 100_000_000
"""Numbers that are reduced at a time; ZeRO 2 and 3 keep a buffer of that size, whether or not the model fills it."""


class DeepSpeedEngine:
    """An HF model under ZeRO and torch's AdamW."""

    def __init__(self, deepspeed: Any, spec: EngineSpec, device: torch.device) -> None:
        self._device, self._spec = device, spec
        self._forward = Stopwatch(device)
        bf16 = spec.precision == "bf16"
        # Without ZeRO, DeepSpeed adds up gradients of a bfloat16 model in bfloat16.
        stage = max(int(spec.parallel.zero), int(bf16))
        offloaded = spec.parallel.offload == "optimizer"
        settings = _settings(stage, bf16, offloaded)
        config = hf_model.config_of(spec)
        sharded_from_birth = (
            deepspeed.zero.Init(config_dict_or_path=settings, mem_efficient_linear=False)
            if stage == 3
            else contextlib.nullcontext()
        )
        with sharded_from_birth:
            dtype = hf_model.DTYPES[spec.precision]
            model = hf_model.empty_model(config, dtype, kernel=spec.attention, device=device)
        hf_model.exact_rotation(model)
        if spec.recompute == "layers":
            hf_model.recompute_layers(model)
        parameters = hf_model.named_parameters(model)
        count = sum(whole_count(parameter) for parameter in parameters.values())
        settings["zero_optimization"]["reduce_bucket_size"] = min(_LARGEST_BUCKET, count)
        self._embeddings = hf_model.embedding_names(model)
        adamw.freeze(parameters, self._embeddings, spec.train)
        self._optimizer = adamw.build(parameters, self._embeddings, spec.optim, dims_of=whole_dims)
        # ZeRO lays the parameters of a group end to end, and not every stage of it can do so with none.
        self._optimizer.param_groups = [group for group in self._optimizer.param_groups if group["params"]]
        self._engine: Any
        self._engine, *_ = deepspeed.initialize(
            model=hf_model.PackedLoss(model, spec.optim.z_loss), optimizer=self._optimizer, config=settings
        )
        self._zero = Zero(self._engine, self._optimizer, parameters, stage, offloaded=offloaded)
        self._inner_step = InnerStep(
            self._optimizer,
            NewRows(
                [
                    shard.rows(shard.of(shard.holder), spec.first_new_row, None)
                    for shard in self._zero.shards
                    if shard.name in self._embeddings
                ]
            ),
        )

    @property
    def data_rank(self) -> tuple[int, int]:
        return (dist.get_rank(), dist.get_world_size())

    def train_step(
        self, micro_batches: Sequence[MicroBatch], lr_by_group: Mapping[Group, float], limits: Limits
    ) -> StepSums:
        tokens = self._tokens_over_ranks(micro_batches)
        nll = torch.zeros((), dtype=torch.float64, device=self._device)
        self._engine.train()
        for at, batch in enumerate(micro_batches):
            self._engine.set_gradient_accumulation_boundary(at == len(micro_batches) - 1)
            with self._forward.running():
                objective, nll_T = hf_model.losses(self._engine, batch, self._device)
            # DeepSpeed averages over ranks; times their number it is a sum again.
            self._engine.backward(objective * (dist.get_world_size() / max(tokens, 1)), scale_wrt_gas=False)
            nll += nll_T.sum()
        nll_over_ranks = process_group.sum_over_ranks([float(nll)], self._device)[0]
        gradients = self._masked_gradients()
        norm = shards.global_norm((shard.within(gradient, *shard.owned) for shard, gradient in gradients), self._device)
        skipped = not limits.allow(norm, nll_over_ranks, tokens)
        if skipped:
            self._inner_step.skip()
            self._zero.clear_gradients()  # DeepSpeed looks at the norm once more and must find nothing odd
        else:
            self._inner_step.take(lr_by_group)
            clip((gradient for _, gradient in gradients), norm, self._spec.optim.clip_norm)
        self._engine.step()
        if not self._engine.was_step_applied():
            raise RuntimeError("DeepSpeed skipped a step on its own, though the gradient norm is finite")
        return StepSums(nll_over_ranks, tokens, norm, skipped)

    def _tokens_over_ranks(self, micro_batches: Sequence[MicroBatch]) -> int:
        here = len(micro_batches)
        tokens, total = process_group.sum_over_ranks(
            [sum(batch.labelled for batch in micro_batches), here], self._device
        )
        if total != here * dist.get_world_size():
            raise ValueError(f"rank {dist.get_rank()} brings {here} micro-batches, all ranks together {total:.0f}")
        return int(tokens)

    def _masked_gradients(self) -> list[tuple[shards.Shard, torch.Tensor]]:
        gradients = list(self._zero.gradients())
        if self._spec.train == "new_rows":
            for shard, gradient in gradients:
                shard.rows(gradient, None, self._spec.first_new_row).zero_()
        return gradients

    def forward_s(self) -> float:
        return self._forward.take()

    def eval_sums(self, micro_batches: Sequence[MicroBatch]) -> dict[int, tuple[float, int]]:
        totals: dict[int, tuple[float, int]] = {}
        missing = self._most_micro_batches(len(micro_batches)) - len(micro_batches)
        self._engine.eval()
        with torch.no_grad():
            for batch in micro_batches:
                hf_model.by_source(hf_model.losses(self._engine, batch, self._device).nll.cpu(), batch, totals)
            for _ in range(missing):
                # ZeRO-3 gathers weights in every forward pass, so all ranks must take equally many.
                hf_model.losses(self._engine, _nothing(), self._device)
        return process_group.sum_by_source(totals, self._device)

    def _most_micro_batches(self, here: int) -> int:
        most = torch.tensor(here, device=self._device)
        dist.all_reduce(most, dist.ReduceOp.MAX)
        return int(most)

    def next_tokens(self, micro_batch: MicroBatch, choice: Choice) -> NextTokens:
        self._engine.eval()
        here = hf_model.next_tokens(self._engine, micro_batch, self._device, choice)
        # Ranks that have computed the same may still differ in a last bit on some GPU, and must go on with one answer.
        asked = len(here.ids_NK)
        held = [(torch.arange(asked), here)] if dist.get_rank() == 0 else []
        return from_holders(held, asked, choice, self._device)

    def local_state(self) -> Iterator[StatePart]:
        return shards.local_state(self._zero.shards, self._optimizer, shards.hf_places)

    def load_state(self, reader: StateReader, step: int) -> None:
        with self._zero.weights_replaced():
            shards.load_state(self._zero.shards, self._optimizer, shards.hf_places, reader, step)

    def close(self) -> None:
        self._inner_step.remove()
        self._engine.destroy()
        self._optimizer.state.clear()


def _nothing() -> MicroBatch:
    """A micro-batch that has no labels."""
    zero = torch.zeros(1, dtype=torch.int64)
    return MicroBatch(zero, zero + NO_LABEL, zero, torch.tensor([0, 1], dtype=torch.int32), zero)


def _settings(stage: int, bf16: bool, offloaded: bool) -> dict[str, Any]:
    in_bf16 = {
        "bf16": {"enabled": True, "immediate_grad_update": True},
        "data_types": {"grad_accum_dtype": "fp32"},
        "communication_data_type": "fp32",
    }
    return {
        "train_micro_batch_size_per_gpu": 1,  # must be there; nothing is computed from it
        "gradient_accumulation_steps": 1,
        "gradient_clipping": 0.0,
        **(in_bf16 if bf16 else {}),
        # torch's own fused AdamW steps on the host as well, and needs no compiler there.
        "zero_force_ds_cpu_optimizer": False,
        "zero_optimization": {
            "stage": stage,
            **({"offload_optimizer": _on_host()} if offloaded else {}),
            # The norm is measured here; in bfloat16, ZeRO-1 is another class of DeepSpeed's, which insists on it.
            **({"compute_grad_norm": False} if stage == 2 or (stage == 1 and not bf16) else {}),
        },
    }


def _on_host() -> dict[str, Any]:
    return {"device": "cpu", "pin_memory": torch.cuda.is_available()}


def _import_deepspeed() -> Any:
    if not torch.cuda.is_available():
        os.environ.setdefault("DS_ACCELERATOR", "cpu")
    os.environ.setdefault("LOCAL_RANK", "0")  # a process of its own has none, and zero.Init reads it
    import deepspeed

    # It would compile a shared-memory op when it joins the process group; two ranks racing for that hang.
    deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
    # It prints tables of memory while it is built in bfloat16, and collects garbage for each. It does so by `print`;
    # what it logs, warnings among it, is not touched.
    bf16_optimizer: Any = import_module("deepspeed.runtime.bf16_optimizer")
    bf16_optimizer.see_memory_usage = _say_nothing
    return deepspeed


def _say_nothing(message: str, force: bool = False) -> None:
    """In the place of DeepSpeed's `see_memory_usage`."""


def build(spec: EngineSpec) -> DeepSpeedEngine:
    """The engine on this process; joins the others."""
    deepspeed = _import_deepspeed()
    device = process_group.start()
    if not deepspeed.comm.is_initialized():
        deepspeed.init_distributed(auto_mpi_discovery=False, verbose=False)
    return DeepSpeedEngine(deepspeed, spec, device)
