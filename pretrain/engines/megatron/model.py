"""megatron-core's GPTModel for one rank of a layout, with our attention and norm in its layers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from megatron.core import parallel_state, tensor_parallel
from megatron.core.distributed import DistributedDataParallel, DistributedDataParallelConfig
from megatron.core.models.gpt.gpt_model import GPTModel
from megatron.core.packed_seq_params import PackedSeqParams
from megatron.core.transformer.transformer_block import TransformerBlockSubmodules
from megatron.core.transformer.transformer_config import TransformerConfig
from transformers import PretrainedConfig

from pretrain.engines.base import EngineSpec
from pretrain.engines.hf_model import DTYPES
from pretrain.engines.megatron import versions
from pretrain.engines.megatron.layout import Layout
from pretrain.engines.megatron.packed_attention import Here, PackedCoreAttention, RmsNorm
from pretrain.models.family import family


def join_groups(layout: Layout) -> None:
    """Make megatron-core's process groups, or keep those of an engine before with the same layout."""
    if parallel_state.model_parallel_is_initialized():
        sizes = (
            parallel_state.get_tensor_model_parallel_world_size(),
            parallel_state.get_pipeline_model_parallel_world_size(),
            parallel_state.get_context_parallel_world_size(),
        )
        if sizes == (layout.tensor, layout.pipeline, layout.context):
            return
        parallel_state.destroy_model_parallel()
    parallel_state.initialize_model_parallel(
        layout.tensor,
        layout.pipeline,
        context_parallel_size=layout.context,
        create_gloo_process_groups=False,
    )
    # Nothing is drawn, for nothing is dropped; but with sequence parallelism megatron-core asks for this state.
    tensor_parallel.model_parallel_cuda_manual_seed(0)


_RECOMPUTE_LAYERS: Mapping[str, Any] = {
    "recompute_granularity": "full",
    "recompute_method": "uniform",
    "recompute_num_layers": 1,
}
"""Of each layer only what goes into it is kept."""


def core_config(config: PretrainedConfig, layout: Layout, spec: EngineSpec) -> Any:
    """How megatron-core is to build and run the model."""
    return TransformerConfig(
        **family(config.model_type).transformer_config(config),
        tensor_model_parallel_size=layout.tensor,
        pipeline_model_parallel_size=layout.pipeline,
        context_parallel_size=layout.context,
        sequence_parallel=layout.sequence,
        **(_RECOMPUTE_LAYERS if spec.recompute == "layers" else {}),
        bf16=spec.precision == "bf16",
        pipeline_dtype=DTYPES[spec.precision],
        params_dtype=DTYPES[spec.precision],
        perform_initialization=False,  # the weights come through load_state
        # Gradients are sums then, nowhere divided by micro-batches or ranks; the loss is divided beforehand.
        calculate_per_token_loss=True,
    )


def build(config: PretrainedConfig, layout: Layout, spec: EngineSpec) -> Any:
    """This rank's stage of the model; weights are not yet anything."""
    core = core_config(config, layout, spec)
    layer = versions.layer_spec()
    layer.submodules.input_layernorm = RmsNorm
    layer.submodules.pre_mlp_layernorm = RmsNorm
    layer.submodules.self_attention.submodules.core_attention = PackedCoreAttention
    if core.qk_layernorm:
        layer.submodules.self_attention.submodules.q_layernorm = RmsNorm
        layer.submodules.self_attention.submodules.k_layernorm = RmsNorm
    return GPTModel(
        config=core,
        transformer_layer_spec=TransformerBlockSubmodules(
            layer_specs=[layer] * layout.layers_per_stage, layer_norm=RmsNorm
        ),
        vocab_size=layout.padded_rows,
        max_sequence_length=config.max_position_embeddings,
        pre_process=parallel_state.is_pipeline_first_stage(),
        post_process=parallel_state.is_pipeline_last_stage(),
        share_embeddings_and_output_weights=config.tie_word_embeddings,
        position_embedding_type="none",  # our attention rotates
    )


def wrap(model: Any, layout: Layout) -> Any:
    """The model with gradients in fp32 buffers that the distributed optimizer cuts up; they are summed there."""
    trained = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    wrapped = DistributedDataParallel(
        model.config,
        DistributedDataParallelConfig(
            grad_reduce_in_fp32=True,
            use_distributed_optimizer=True,
            overlap_grad_reduce=layout.overlap,
            overlap_param_gather=layout.overlap,
            bucket_size=layout.bucket(trained),
        ),
        model,
    )
    if layout.overlap:
        model.config.no_sync_func = wrapped.no_sync  # gradients of all but the last micro-batch only add up
    return wrapped


def core_names(model: Any, layout: Layout) -> dict[str, torch.nn.Parameter]:
    """Parameters of this stage by their names in the whole model."""
    first = parallel_state.get_pipeline_model_parallel_rank() * layout.layers_per_stage
    names: dict[str, torch.nn.Parameter] = {}
    for name, parameter in model.named_parameters():
        if name.startswith("decoder.layers."):
            _, _, layer, rest = name.split(".", 3)
            name = f"decoder.layers.{first + int(layer)}.{rest}"
        names[name] = parameter
    return names


def packed(here: Here) -> Any:
    """What carries documents and kernel through megatron-core's layers to our attention."""
    params = PackedSeqParams(qkv_format="thd")
    params.here = here
    return params
