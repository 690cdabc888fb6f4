"""A training script as users of megatron-core write it, cut down to saving and loading: nothing of this repository but
the device shim is in it, least of all the table of rows.

    python plain_script.py JOB.json OUT_DIR

Each case builds a GPTModel, and a Megatron optimizer if it names one, and saves it with weights and moments from a file
of Hugging Face tensors, or loads it and says which parameters differ from those of the file.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from safetensors.torch import load_file

from pretrain.engines.megatron.cpu_shim import device_scope


class Expected:
    """What this rank's parameters must be, by the formulas that everybody copies from everybody."""

    def __init__(self, case: dict[str, Any], tensors: dict[str, torch.Tensor]) -> None:
        from megatron.core import parallel_state

        self.tensors, self.config, self.vocab = tensors, case["config"], case["vocab"]
        self.rank: int = parallel_state.get_tensor_model_parallel_rank()
        self.size = parallel_state.get_tensor_model_parallel_world_size()
        layers = self.config["num_layers"] // case["pp"]
        self.first_layer = layers * parallel_state.get_pipeline_model_parallel_rank()

    def __call__(self, name: str, kind: str) -> torch.Tensor:
        def hf(name: str) -> torch.Tensor:
            return self.tensors[f"{kind}:{name}"]

        return self.cut(name, hf, tied=f"{kind}:lm_head.weight" not in self.tensors)

    def cut(self, name: str, hf: Callable[[str], torch.Tensor], *, tied: bool) -> torch.Tensor:
        if name == "decoder.final_layernorm.weight":
            return hf("model.norm.weight")
        if name == "embedding.word_embeddings.weight":
            return self.share(self.padded(hf("model.embed_tokens.weight")))
        if name == "output_layer.weight":
            return self.share(self.padded(hf("model.embed_tokens.weight" if tied else "lm_head.weight")))
        _, _, layer, rest = name.split(".", 3)
        layer_name = f"model.layers.{self.first_layer + int(layer)}."
        replicated = {
            "input_layernorm.weight": "input_layernorm.weight",
            "pre_mlp_layernorm.weight": "post_attention_layernorm.weight",
            "self_attention.q_layernorm.weight": "self_attn.q_norm.weight",
            "self_attention.k_layernorm.weight": "self_attn.k_norm.weight",
        }
        if rest in replicated:
            return hf(layer_name + replicated[rest])
        if rest == "self_attention.linear_proj.weight":
            return self.share(hf(layer_name + "self_attn.o_proj.weight"), dim=1)
        if rest == "mlp.linear_fc2.weight":
            return self.share(hf(layer_name + "mlp.down_proj.weight"), dim=1)
        if rest == "mlp.linear_fc1.weight":
            gate, up = (self.share(hf(f"{layer_name}mlp.{which}_proj.weight")) for which in ("gate", "up"))
            return torch.cat([gate, up])
        what = rest.removeprefix("self_attention.linear_qkv.")
        query, key, value = (hf(f"{layer_name}self_attn.{which}_proj.{what}") for which in "qkv")
        size: int = self.config["kv_channels"]
        groups: int = self.config["num_query_groups"]
        heads: int = self.config["num_attention_heads"] // groups
        rows: list[torch.Tensor] = []
        for group in range(groups):
            rows.append(query[group * heads * size : (group + 1) * heads * size])
            rows.append(key[group * size : (group + 1) * size])
            rows.append(value[group * size : (group + 1) * size])
        return self.share(torch.cat(rows))

    def padded(self, rows: torch.Tensor) -> torch.Tensor:
        return F.pad(rows, (0, 0, 0, self.vocab - rows.shape[0]))

    def share(self, tensor: torch.Tensor, dim: int = 0) -> torch.Tensor:
        return tensor.chunk(self.size, dim)[self.rank].contiguous()


def build(case: dict[str, Any]) -> Any:
    from megatron.core import parallel_state, tensor_parallel
    from megatron.core.models.gpt.gpt_layer_specs import get_gpt_layer_local_spec
    from megatron.core.models.gpt.gpt_model import GPTModel
    from megatron.core.transformer.transformer_config import TransformerConfig

    if parallel_state.model_parallel_is_initialized():
        parallel_state.destroy_model_parallel()
    parallel_state.initialize_model_parallel(case["tp"], case["pp"])
    tensor_parallel.model_parallel_cuda_manual_seed(1)
    dtype = torch.bfloat16 if case["bf16"] else torch.float32
    config = TransformerConfig(
        **case["config"],
        normalization="RMSNorm",
        gated_linear_unit=True,
        activation_func=F.silu,
        add_bias_linear=False,
        tensor_model_parallel_size=case["tp"],
        pipeline_model_parallel_size=case["pp"],
        bf16=case["bf16"],
        params_dtype=dtype,
        pipeline_dtype=dtype,
    )
    model = GPTModel(
        config=config,
        transformer_layer_spec=get_gpt_layer_local_spec(normalization="RMSNorm", qk_layernorm=config.qk_layernorm),
        vocab_size=case["vocab"],
        max_sequence_length=64,
        pre_process=parallel_state.is_pipeline_first_stage(),
        post_process=parallel_state.is_pipeline_last_stage(),
        share_embeddings_and_output_weights=case["tied"],
        position_embedding_type="rope",
    )
    # The local norms stay fp32, Transformer Engine's are bf16; without a distributed optimizer 0.16 saves only those.
    alike = case["bf16"] and (case["do"] == "load" or case["optimizer"] == "replicated")
    return model.bfloat16() if alike else model


def optimizer_of(case: dict[str, Any], model: Any) -> tuple[Any, Any]:
    """The wrapped model and its optimizer after one step, so that there are moments."""
    from megatron.core.distributed import DistributedDataParallel, DistributedDataParallelConfig
    from megatron.core.optimizer import OptimizerConfig, get_megatron_optimizer

    distributed = case["optimizer"] != "replicated"
    wrapped = DistributedDataParallel(
        model.config,
        DistributedDataParallelConfig(grad_reduce_in_fp32=True, use_distributed_optimizer=distributed),
        model,
    )
    optimizer = get_megatron_optimizer(
        OptimizerConfig(
            optimizer="adam",
            lr=1e-3,
            weight_decay=0.1,
            bf16=case["bf16"],
            params_dtype=model.config.params_dtype,
            use_distributed_optimizer=distributed,
        ),
        [wrapped],
    )
    for parameter in model.parameters():
        parameter.main_grad.fill_(1e-3)
    for _ in range(case.get("steps", 3)):
        optimizer.step()
    return wrapped, optimizer


def states(case: dict[str, Any], model: Any, optimizer: Any) -> Any:
    """Name, kind, this rank's tensor, and which stretch of the flat parameter it is; masters and moments."""
    inner = optimizer.chained_optimizers[0]
    for name, parameter in model.named_parameters():
        if case["optimizer"] == "replicated":
            main = getattr(parameter, "main_param", parameter)
            held, stretch = {"param": main, **inner.optimizer.state[main]}, slice(None)
        elif parameter in inner.model_param_group_index_map:
            held = inner._get_main_param_and_optimizer_states(parameter)
            here = inner._get_model_param_range_map(parameter)["param"]
            stretch = slice(here.start, here.end)
        else:  # another data rank's
            continue
        for kind in ("param", "exp_avg", "exp_avg_sq"):
            yield name, kind, held[kind], stretch


def run(case: dict[str, Any]) -> list[str]:
    from megatron.core import dist_checkpointing

    model = build(case)
    expected = Expected(case, load_file(case["tensors"]))
    saving, optimizer, optimizer_type = case["do"] == "save", None, case["optimizer"]
    metadata = {"distrib_optim_sharding_type": optimizer_type, **case.get("metadata", {})}
    if optimizer_type is not None:
        _, optimizer = optimizer_of(case, model)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(expected(name, "param") if saving else torch.full_like(parameter, -7))
        for name, kind, held, stretch in states(case, model, optimizer) if optimizer is not None else ():
            whole = expected(name, kind)
            held.copy_(whole.flatten()[stretch].view_as(held) if saving else torch.full_like(held, -7))
    weights = model.sharded_state_dict(metadata=dict(metadata))
    state: dict[str, Any] = dict(weights)
    if optimizer is not None:
        state["optimizer"] = optimizer.sharded_state_dict(weights, is_loading=not saving, metadata=metadata)
    if saving:
        if torch.distributed.get_rank() == 0:
            Path(case["dir"]).mkdir(parents=True)
        torch.distributed.barrier()
        dist_checkpointing.save({**state, "iteration": 3}, case["dir"], content_metadata=metadata)
        return []
    loaded = dist_checkpointing.load(state, case["dir"])
    model.load_state_dict({name: loaded[name] for name in weights})
    if optimizer is not None:
        _remember_step(optimizer.chained_optimizers[0])
        optimizer.load_state_dict(loaded["optimizer"])
    return differences(case, model, optimizer, expected)


def _remember_step(optimizer: Any) -> None:
    """torch's AdamW keeps the step beside the moments, where megatron-core 0.16 looks for it in vain."""
    apply = optimizer._set_main_param_and_optimizer_states

    def with_step(parameter: Any, tensors: dict[str, torch.Tensor]) -> None:
        group, order = optimizer.model_param_group_index_map[parameter]
        held = optimizer.optimizer.param_groups[group]["params"][order]
        apply(parameter, {"step": optimizer.optimizer.state[held]["step"], **tensors})

    optimizer._set_main_param_and_optimizer_states = with_step


def differences(case: dict[str, Any], model: Any, optimizer: Any, expected: Expected) -> list[str]:
    def same(here: torch.Tensor, there: torch.Tensor) -> bool:
        return torch.equal(here.flatten(), there.to(here.dtype).flatten())

    wrong = [
        name for name, parameter in model.named_parameters() if not same(parameter.detach(), expected(name, "param"))
    ]
    if optimizer is not None:
        wrong += [
            f"{kind} of {name}"
            for name, kind, held, stretch in states(case, model, optimizer)
            if not same(held.detach(), expected(name, kind).flatten()[stretch])
        ]
        inner = optimizer.chained_optimizers[0].optimizer
        wrong += [f"step {state['step']}" for state in inner.state.values() if int(state["step"]) != case["steps"]]
    return wrong


def main() -> None:
    job, out = Path(sys.argv[1]), Path(sys.argv[2])
    torch.distributed.init_process_group("gloo")
    import megatron.core.dist_checkpointing
    import megatron.core.optimizer
    import megatron.core.tensor_parallel.random  # noqa: F401  # the shim answers for what is imported

    with device_scope():
        seen = {case["name"]: run(case) for case in json.loads(job.read_text())}
    (out / f"rank{os.environ['RANK']}.json").write_text(json.dumps(seen))
    torch.distributed.barrier()
    sys.stderr.flush()
    os._exit(0)  # a thread of gloo's may abort an interpreter that is taken down


if __name__ == "__main__":
    main()
