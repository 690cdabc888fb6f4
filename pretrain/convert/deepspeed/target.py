"""Checkpoints that DeepSpeed's `load_checkpoint` loads, written without DeepSpeed: ZeRO 0 to 3, any number of ranks.

    latest                                                      names the folder
    global_step40/mp_rank_00_model_states.pt                    the model; with ZeRO 3 one of each rank, shapes only
    hf/                                                         config.json and the tokenizer
    global_step40/zero_pp_rank_0_mp_rank_00_optim_states.pt     a rank's share; bf16_zero_… for a bfloat16 model

What is trained is in one group of the optimizer, in the order of `model.parameters()`, or in two as scripts make them
that take no weight decay of norms and biases: matrices and then vectors, each in that order.

Source: DeepSpeed 0.19.8, `DeepSpeedEngine._common_checkpoint_state` and `state_dict` of its optimizers.
"""

from __future__ import annotations

import io
import logging
import math
from collections.abc import Callable, Sequence
from functools import partial
from itertools import accumulate, chain
from pathlib import Path
from typing import Any

import torch

from configs.errors import UserError
from configs.progress import Progress
from pretrain.convert import torch_file
from pretrain.convert.deepspeed.plan import Plan, nothing, scalar, sizes
from pretrain.convert.hf import files_of, teller
from pretrain.convert.model import Model
from pretrain.convert.pickles import DynamicLossScaler, FragmentAddress, LossScaler
from pretrain.convert.source import DTYPES, StateSource
from pretrain.convert.target import Options, Written, write_files
from pretrain.engines.base import Kind

_log = logging.getLogger(__name__)

_VERSION = "0.19.8"
"""Of the DeepSpeed whose format this is."""

_NAMES = {
    LossScaler: "deepspeed.runtime.fp16.loss_scaler.LossScaler",
    DynamicLossScaler: "deepspeed.runtime.fp16.loss_scaler.DynamicLossScaler",
    FragmentAddress: "deepspeed.utils.tensor_fragment.fragment_address",
}
_MOMENTS: tuple[Kind, ...] = ("exp_avg", "exp_avg_sq")
_TIED = ("lm_head.weight", "model.embed_tokens.weight")


def write(source: StateSource, out: Path, model: Model, options: Options, progress: Progress) -> Written:
    """Write a checkpoint for as many ranks as asked.

    Raises:
        UserError: if DeepSpeed could not load it, or the disk is full.
    """
    plan = _plan(source, model, options)
    _tell_frozen(plan, model)
    _log.warning(
        "no other format has the optimizer's settings: the files have torch's defaults (learning rate %g), which torch "
        "takes when it loads them; take yours again after loading, as docs/deepspeed.md shows",
        _groups([0])[0]["lr"],
    )
    if plan.dtype == torch.float16:
        _log.warning(
            "no other format has the state of a loss scale: the files have DeepSpeed's first one, dynamic and %g, with "
            "its default settings, which DeepSpeed takes when it loads them",
            DynamicLossScaler().cur_scale,
        )
    tag = f"global_step{source.step}"
    model_name = "zero_pp_rank_{}_mp_rank_00_model_states.pt" if plan.stage == 3 else "mp_rank_00_model_states.pt"
    brain = "bf16_" if plan.dtype == torch.bfloat16 else ""
    told = teller(progress)
    jobs: dict[str, Callable[[io.RawIOBase], object]] = {"latest": lambda file: file.write(tag.encode())}
    jobs |= {f"hf/{name}": job for name, job in files_of(model).items()}
    for rank in range(plan.ranks if plan.stage == 3 else 1):
        jobs[f"{tag}/{model_name.format(rank)}"] = partial(_write, _model_state, plan, rank, told)
    for rank in range(plan.ranks if plan.stage > 0 else 0):
        name = f"{brain}zero_pp_rank_{rank}_mp_rank_00_optim_states.pt"
        jobs[f"{tag}/{name}"] = partial(_write, _optimizer_file, plan, rank, told)
    files = write_files(out, jobs)
    return Written(files, {"step": source.step, "tensors": len(model.shapes), "zero": plan.stage, "ranks": plan.ranks})


def bytes_of_numbers(source: StateSource, model: Model, options: Options) -> int:
    """Of the tensors in all files."""
    plan = _plan(source, model, options)
    # The model's own weights are what the optimizer trains, or lie in the ranks' partitions.
    beside = 0 if plan.stage == 3 or (plan.stage == 0 and plan.dtype == torch.float32) else plan.dtype.itemsize
    trained = sum(map(math.prod, plan.trained.values()))
    return trained * (12 + beside) + sum(map(math.prod, plan.frozen.values())) * plan.dtype.itemsize


def _plan(source: StateSource, model: Model, options: Options) -> Plan:
    if options.zero not in range(4) or options.ranks < 1:
        raise UserError(f"--zero {options.zero} --ranks {options.ranks}: ZeRO stages are 0 to 3, ranks 1 or more")
    if options.groups not in (1, 2):
        raise UserError(
            f"--groups {options.groups}: 1 has all that is trained in one group of the optimizer, 2 has matrices and "
            "vectors apart"
        )
    stored = {source.dtype(name) for name in model.shapes}
    dtype = DTYPES[options.dtype] if options.dtype is not None else stored.pop() if len(stored) == 1 else torch.float32
    return Plan(source, model, options.zero, options.ranks, dtype, options.groups)


def _tell_frozen(plan: Plan, model: Model) -> None:
    if plan.frozen:
        _log.warning(
            "%d of %d tensors have no moments and are written as frozen: what loads this must set requires_grad to "
            "False for %s%s",
            len(plan.frozen),
            len(model.shapes),
            ", ".join(list(plan.frozen)[:3]),
            " and others" if len(plan.frozen) > 3 else "",
        )


def _write(
    state: Callable[[Plan, int], dict[str, Any]], plan: Plan, rank: int, told: Callable[[int], None], file: io.RawIOBase
) -> None:
    torch_file.write(file, state(plan, rank), _NAMES, told)


def _model_state(plan: Plan, rank: int) -> dict[str, Any]:
    in_partitions, zero, step = plan.stage == 3, plan.stage > 0, plan.source.step
    tied = dict([_TIED]) if plan.model.config.tie_word_embeddings else {}
    whole = {
        name: nothing(plan.dtype) if in_partitions else plan.whole(name, "master", plan.dtype)
        for name in plan.model.shapes
    }
    frozen = {name: plan.frozen_share(name, rank) if in_partitions else whole[name] for name in plan.frozen}
    return {
        "module": {**whole, **{name: whole[of] for name, of in tied.items()}},
        "buffer_names": [],
        "optimizer": None if zero else _unsharded(plan),
        "param_shapes": [sizes(one) for one in plan.flat] if zero else None,
        "frozen_param_shapes": sizes(plan.frozen) if zero else None,
        "shared_params": tied if zero else None,
        "frozen_param_fragments": frozen if zero else None,
        "lr_scheduler": _scheduler(step),
        "data_sampler": None,
        "random_ltd": None,
        "skipped_steps": 0,
        "global_steps": step,
        "dp_world_size": plan.ranks,
        "mp_world_size": 1,
        "checkpoint_parallel_dimensions": {"pp_degree": 1, "tp_degree": 1},
        "ds_config": {},
        "ds_version": _VERSION,
    }


def _scheduler(step: int) -> dict[str, Any]:
    """Where a schedule is: DeepSpeed's own and torch's each find what they call it, and keep their own settings."""
    return {"last_batch_iteration": step - 1, "last_epoch": step, "_step_count": step + 1, "lr_lambdas": [None]}


def _groups(counts: Sequence[int]) -> list[dict[str, Any]]:
    """The optimizer's groups of so many tensors each, numbered throughout, with the settings that torch gives AdamW."""
    group = torch.optim.AdamW([torch.zeros(1)]).state_dict()["param_groups"][0]
    ends = list(accumulate(counts))
    return [{**group, "params": list(range(end - count, end))} for count, end in zip(counts, ends, strict=True)]


def _unsharded(plan: Plan) -> dict[str, Any]:
    state = {
        number: {
            "step": scalar(plan.source.adam_steps),
            **{kind: plan.whole(name, kind, torch.float32) for kind in _MOMENTS},
        }
        for number, name in enumerate(chain.from_iterable(plan.of_optimizer))
    }
    optimizer = {"state": state, "param_groups": _groups([len(shapes) for shapes in plan.of_optimizer])}
    if plan.dtype == torch.float32:
        return optimizer
    return {
        **_unsharded_scale(plan),
        "optimizer_state_dict": optimizer,
        "fp32_groups": [[plan.whole(name, "master", torch.float32) for name in group] for group in plan.of_optimizer],
    }


def _unsharded_scale(plan: Plan) -> dict[str, Any]:
    if plan.dtype != torch.float16:
        return {"dynamic_loss_scale": False, "cur_scale": 1.0, "cur_iter": plan.source.step}
    first = DynamicLossScaler()
    kept = ("cur_scale", "cur_iter", "last_overflow_iter", "scale_factor", "scale_window")
    return {"dynamic_loss_scale": True, **{key: getattr(first, key) for key in kept}}


def _optimizer_file(plan: Plan, rank: int) -> dict[str, Any]:
    groups = range(len(plan.flat))
    state = {
        group: {
            "step": scalar(plan.source.adam_steps),
            **{kind: plan.flat_tensor(rank, group, kind, plan.length(group)) for kind in _MOMENTS},
        }
        for group in groups
    }
    optimizer = {"state": state, "param_groups": _groups(plan.flat_of_optimizer)}
    described = _partitioned(plan, rank, optimizer) if plan.stage == 3 else _flat(plan, rank, optimizer)
    scaler = DynamicLossScaler() if plan.dtype == torch.float16 else LossScaler()
    scale = {"loss_scaler": scaler, "dynamic_loss_scale": scaler.dynamic, "overflow": False}
    return {
        "optimizer_state_dict": {"zero_stage": plan.stage, **scale, **described},
        "ds_config": {},
        "ds_version": _VERSION,
    }


def _partitioned(plan: Plan, rank: int, optimizer: dict[str, Any]) -> dict[str, Any]:
    groups = range(len(plan.flat))
    return {
        "partition_count": plan.ranks,
        "optimizer_state_dict": optimizer,
        "fp32_flat_groups": [plan.flat_tensor(rank, group, "master", plan.length(group)) for group in groups],
    }


def _flat(plan: Plan, rank: int, optimizer: dict[str, Any]) -> dict[str, Any]:
    paddings = [plan.padding(group, rank) for group in range(len(plan.flat))]
    # DeepSpeed cuts the padding off the weights and not off the moments. That there is no padding between
    # parameters is not said, so that DeepSpeed moves them apart by itself where its settings ask for that.
    return {
        "base_optimizer_state": optimizer,
        "single_partition_of_fp32_groups": [
            plan.flat_tensor(rank, group, "master", plan.length(group) - padding)
            for group, padding in enumerate(paddings)
        ],
        "group_paddings": paddings,
        "partition_count": [plan.ranks] * len(paddings),
        "ds_version": _VERSION,
        "param_slice_mappings": [
            {one.name: FragmentAddress(one.count, one.offset) for one in plan.stretches(rank, group)}
            for group in range(len(paddings))
        ],
    }
