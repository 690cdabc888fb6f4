"""A plain DeepSpeed script as its users write them: nothing of ours is imported.

    python plain_script.py JOBS.json OUT      one process of several (RANK, WORLD_SIZE, MASTER_ADDR, MASTER_PORT)

Each job trains an AutoModelForCausalLM for some steps, from the start or from a checkpoint, and may save one. What
DeepSpeed itself gathers of the weights and moments is written beside it, by rank 0, for others to compare with.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["DS_ACCELERATOR"] = "cpu"

import deepspeed
import torch
import torch.distributed as dist
from deepspeed.runtime.bf16_optimizer import BF16_Optimizer
from deepspeed.runtime.lr_schedules import WarmupDecayLR
from deepspeed.utils import lazy_init_hp_params_optimizer_state, safe_get_full_fp32_param, safe_get_full_optimizer_state
from deepspeed.utils.zero_to_fp32 import get_fp32_state_dict_from_zero_checkpoint
from safetensors.torch import save_file
from torch.optim.lr_scheduler import LambdaLR
from transformers import AutoConfig, AutoModelForCausalLM

SCHEDULES: dict[str, Callable[[Any], Any]] = {
    "torch": lambda optimizer: LambdaLR(optimizer, lambda step: 0.9**step),
    "deepspeed": lambda optimizer: WarmupDecayLR(optimizer, 20, warmup_num_steps=4, warmup_type="linear"),
}
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def groups_of(model: torch.nn.Module, kind: str) -> Any:
    trained = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    if kind == "one":
        return list(trained.values())
    dims = {name: len(getattr(parameter, "ds_shape", parameter.shape)) for name, parameter in trained.items()}
    matrices = [parameter for name, parameter in trained.items() if dims[name] > 1]
    vectors = [parameter for name, parameter in trained.items() if dims[name] <= 1]
    return [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}]


def settings_of(job: dict[str, Any]) -> dict[str, Any]:
    bf16 = job.get("dtype") == "bfloat16"
    return {
        "train_micro_batch_size_per_gpu": 1,
        **({"bf16": {"enabled": True}} if bf16 else {}),
        **({"fp16": {"enabled": True}} if job.get("dtype") == "float16" else {}),
        **({"data_types": {"grad_accum_dtype": job["accumulate"]}} if "accumulate" in job else {}),
        "communication_data_type": "fp32",
        "zero_optimization": {"stage": job["stage"], **job.get("zero", {})},
    }


def build(job: dict[str, Any]) -> tuple[Any, torch.nn.Module]:
    torch.manual_seed(3)
    settings = settings_of(job)
    dtype = DTYPES[job.get("dtype", "float32")]
    model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(job["model"]), dtype=dtype)
    if job.get("weights"):
        model = AutoModelForCausalLM.from_pretrained(job["model"], dtype=dtype)
    for name, parameter in model.named_parameters():
        parameter.requires_grad = not any(part in name for part in job.get("frozen", ()))
    optimizer = torch.optim.AdamW(groups_of(model, job.get("groups", "one")), lr=2e-3, betas=(0.9, 0.95))
    schedule = SCHEDULES[job["schedule"]](optimizer) if "schedule" in job else None
    engine, *_ = deepspeed.initialize(model=model, optimizer=optimizer, config=settings, lr_scheduler=schedule)
    return engine, model


def train(engine: Any, steps: int) -> list[float]:
    losses = []
    for step in range(engine.global_steps, engine.global_steps + steps):
        generator = torch.Generator().manual_seed(100 * step + dist.get_rank())
        ids = torch.randint(engine.module.config.vocab_size, (1, 16), generator=generator)
        loss = engine(input_ids=ids, labels=ids).loss
        engine.backward(loss)
        engine.step()
        losses.append(float(loss.detach()))
    return losses


def gathered(engine: Any, model: torch.nn.Module, stage: int) -> dict[str, torch.Tensor]:
    """Weights in fp32 as the optimizer has them, and both moments; a collective call."""
    held: dict[str, torch.Tensor] = {}
    link_moments(engine.optimizer, stage)
    for name, parameter in model.named_parameters():
        if stage == 0:
            parts = unsharded(engine, parameter)
        elif not parameter.requires_grad:
            with deepspeed.zero.GatheredParameters([parameter]) if stage == 3 else torch.no_grad():
                parts = {"master": parameter.detach().float().clone()}
        else:
            kinds = ("exp_avg", "exp_avg_sq") if engine.global_steps > 0 else ()
            parts = {kind: safe_get_full_optimizer_state(parameter, kind) for kind in kinds}
            parts["master"] = safe_get_full_fp32_param(parameter)
        held |= {f"{kind}:{name}": value.clone().contiguous() for kind, value in parts.items() if value is not None}
    return held


def link_moments(optimizer: Any, stage: int) -> None:
    """Let DeepSpeed find them; it does so by itself in the first step only, and then in the first group only."""
    if stage in (1, 2):
        in_bf16 = isinstance(optimizer, BF16_Optimizer)
        groups = optimizer.bf16_groups if in_bf16 else optimizer.bit16_groups
        flat = optimizer.fp32_groups_flat_partition if in_bf16 else optimizer.single_partition_of_fp32_groups
        for parameters, partition in zip(groups, flat, strict=True):
            lazy_init_hp_params_optimizer_state(parameters, partition, optimizer.optimizer.state)


def unsharded(engine: Any, parameter: torch.Tensor) -> dict[str, torch.Tensor]:
    """Without ZeRO: of a bfloat16 model, the optimizer trains copies in fp32."""
    trained = parameter
    for at, group in enumerate(getattr(engine.optimizer, "fp16_groups", ())):
        for one, copy in zip(group, engine.optimizer.fp32_groups[at], strict=True):
            trained = copy if one is parameter else trained
    state = engine.basic_optimizer.state.get(trained, {})
    return {"master": trained.detach(), **{kind: state[kind] for kind in ("exp_avg", "exp_avg_sq") if kind in state}}


def settings_kept(optimizer: Any, load: Callable[[], Any]) -> Any:
    """Load, and take the settings of the groups from the script again: torch takes them from the checkpoint."""
    kept = [{key: value for key, value in group.items() if key != "params"} for group in optimizer.param_groups]
    loaded = load()
    for group, settings in zip(optimizer.param_groups, kept, strict=True):
        group.update(settings)
    return loaded


def consolidated(checkpoint: str) -> dict[str, torch.Tensor]:
    """What zero_to_fp32 makes of a checkpoint."""
    return {name: one.clone() for name, one in get_fp32_state_dict_from_zero_checkpoint(checkpoint).items()}


def run(job: dict[str, Any], out: Path) -> dict[str, Any]:
    engine, model = build(job)
    out.mkdir(parents=True, exist_ok=True)
    if "load" in job:
        path, _ = settings_kept(engine.optimizer, lambda: engine.load_checkpoint(job["load"]))
        assert path is not None, f"{job['load']}: DeepSpeed did not load it"
        if dist.get_rank() == 0 and job.get("consolidate"):
            save_file(consolidated(job["load"]), out / "consolidated.safetensors")
    before = gathered(engine, model, job["stage"])
    losses = train(engine, job["steps"])
    after = gathered(engine, model, job["stage"])
    if job.get("save"):
        engine.save_checkpoint(str(out / "checkpoint"), client_state=job.get("client_state", {}))
    if dist.get_rank() == 0:
        save_file(before, out / "before.safetensors")
        save_file(after, out / "after.safetensors")
    seen = {"losses": losses, "steps": engine.global_steps}
    if job.get("dtype") == "float16":
        # Of the latter, ZeRO 0 has no other.
        scaler = getattr(engine.optimizer, "loss_scaler", None)
        seen["scale"] = vars(engine.optimizer.loss_scale_config) if scaler is None else vars(scaler)
        seen["scale"] = {key: str(value) for key, value in seen["scale"].items()}
    if engine.lr_scheduler is not None:
        seen["lr"] = engine.get_lr()
    engine.destroy()
    return seen


if __name__ == "__main__":
    # It would be compiled when the group is made, and two processes racing for that hang.
    deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
    deepspeed.init_distributed("gloo", auto_mpi_discovery=False, verbose=False)
    place = Path(sys.argv[2])
    everything = {job["name"]: run(job, place / job["name"]) for job in json.loads(Path(sys.argv[1]).read_text())}
    (place / f"rank{dist.get_rank()}.json").write_text(json.dumps(everything))
    dist.barrier()
    sys.stderr.flush()
    os._exit(0)  # a thread of DeepSpeed's or gloo's may abort an interpreter that is taken down
