"""How many numbers of the model each rank holds, exactly, padding of the frameworks included."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from pretrain.engines import adamw
from pretrain.engines.megatron.layout import plan
from pretrain.engines.megatron.places import CorePlaces
from pretrain.estimate.setup import Model, Setup
from pretrain.models.family import family

_ZERO_ALIGNMENT = 2
"""ZeRO 1 and 2 pad each group to a multiple of so many numbers per rank (`nccl_start_alignment_factor`)."""
_WITHIN_LAYER = (
    "input_layernorm",
    "self_attention.linear_proj",
    "self_attention.linear_qkv.weight",
    "self_attention.linear_qkv.bias",
    "self_attention.q_layernorm",
    "self_attention.k_layernorm",
    "pre_mlp_layernorm",
    "mlp.linear_fc1",
    "mlp.linear_fc2",
)
"""Parameters of a megatron-core layer in the order of its modules; they lie in its buffers the other way round."""
_EMBEDDINGS = frozenset({"embedding.word_embeddings.weight", "output_layer.weight"})
ZERO3_WHOLE_UP_TO = 100_000
"""ZeRO 3 also keeps parameters of so few numbers whole on every rank (`stage3_param_persistence_threshold`)."""
_CORE_START, _CORE_END = 64, 128
"""megatron-core's distributed optimizer begins each parameter, and ends the buffer, at multiples of these."""


@dataclass(frozen=True)
class Held:
    """Numbers on the fullest rank of a pipeline stage."""

    stage: int
    """Pipeline stage, from 0."""
    layers: int
    """Transformer layers of the stage."""
    weights: int
    """That are computed with."""
    optimised: int
    """Of which the rank keeps fp32 weights and Adam's moments."""
    vocabulary: int
    """Rows of the output embedding that the rank computes logits of; 0 on all stages but the last."""


def held(model: Model, setup: Setup) -> list[Held]:
    """For each pipeline stage, what its fullest rank holds; other engines have one stage."""
    if setup.engine == "megatron":
        return _megatron(model, setup)
    parameters = model.parameters
    weights = optimised = parameters.count
    # DeepSpeed's engine takes ZeRO 1 for ZeRO 0 in bf16, see pretrain/engines/deepspeed.py.
    cut_up = setup.parallel.zero in ("1", "2") or (setup.parallel.zero == "0" and setup.precision == "bf16")
    if setup.engine == "deepspeed" and cut_up:
        optimised = sum(_aligned(count, _ZERO_ALIGNMENT * setup.data) for count in _groups(model)) // setup.data
        weights = optimised * setup.data
    elif setup.engine == "deepspeed" and setup.parallel.zero == "3":
        counts = [math.prod(shape) for shape in parameters.shapes.values()]
        optimised = sum(-(-count // setup.data) for count in counts)
        weights = optimised + sum(_aligned(count, setup.data) for count in counts if count <= ZERO3_WHOLE_UP_TO)
    return [Held(0, parameters.layers, weights, optimised, model.config.vocab_size)]


def _groups(model: Model) -> list[int]:
    """Numbers of each of AdamW's groups, which ZeRO 1 and 2 lay end to end."""
    counts: Counter[str] = Counter()
    for name, shape in model.parameters.shapes.items():
        counts[adamw.group_of(name, len(shape), model.parameters.embeddings)] += math.prod(shape)
    return list(counts.values())


def _megatron(model: Model, setup: Setup) -> list[Held]:
    layout = plan(model.config, setup.parallel, setup.world_size)
    table = family(model.config.model_type).rows(model.config)
    # Over several stages, the last has a copy of a tied embedding.
    copied = model.config.tie_word_embeddings and layout.pipeline > 1
    aliases = {"output_layer.weight": "embedding.word_embeddings.weight"} if copied else {}
    places = CorePlaces(table, layout, 0, aliases)
    names: list[list[str]] = [[] for _ in range(layout.pipeline)]
    for name in [row.core for row in table] + list(aliases):
        names[_stage_of(name, layout.layers_per_stage, layout.pipeline)].append(name)
    stages = []
    for stage, here in enumerate(names):
        alone = _EMBEDDINGS if copied else frozenset()
        in_buffer = [(places.local(name).count, name in alone) for name in sorted(here, key=_place, reverse=True)]
        # Only the first stage is reduced piece by piece: what the others wait for is the pipeline.
        at_least = layout.bucket(sum(count for count, _ in in_buffer)) if stage == 0 else None
        weights, optimised = _buffer(in_buffer, layout.optimizer_shares, at_least)
        rows = layout.padded_rows // layout.tensor if stage == layout.pipeline - 1 else 0
        stages.append(Held(stage, layout.layers_per_stage, weights, optimised, rows))
    return stages


def _stage_of(name: str, layers_per_stage: int, stages: int) -> int:
    if name.startswith("embedding."):
        return 0
    if name.startswith("decoder.layers."):
        return int(name.split(".")[2]) // layers_per_stage
    return stages - 1


def _place(name: str) -> tuple[int, int, int]:
    """Where a parameter stands among the modules of megatron-core's model."""
    if name.startswith("decoder.layers."):
        _, _, layer, within = name.split(".", 3)
        return 1, int(layer), next(at for at, start in enumerate(_WITHIN_LAYER) if within.startswith(start))
    return {"embedding": 0, "decoder": 2, "output_layer": 3}[name.split(".")[0]], 0, 0


def _buffer(counts: Sequence[tuple[int, bool]], sharers: int, at_least: int | None) -> tuple[int, int]:
    """Numbers of megatron-core's buffer for these parameters, and how many of them the fullest rank keeps state of.

    Each bucket is cut evenly, wherever a parameter begins or ends; padding has no state.

    Args:
        counts: as `_buckets`.
        at_least: likewise.
    """
    length, kept = 0, Counter({0: 0})
    for bucket in _buckets(counts, at_least):
        size = _aligned(sum(bucket[-1]), math.lcm(sharers, _CORE_END))
        share = size // sharers
        for start, count in bucket:
            for rank in range(start // share, (start + count - 1) // share + 1):
                kept[rank] += min(start + count, (rank + 1) * share) - max(start, rank * share)
        length += size
    return length, max(kept.values())


def _buckets(counts: Iterable[tuple[int, bool]], at_least: int | None) -> Iterator[list[tuple[int, int]]]:
    """Where each parameter of a bucket begins in it, and how many numbers it has.

    Args:
        counts: of each parameter in the buffer's order, and whether it has a bucket of its own.
        at_least: a bucket ends when it has so many numbers; none: all are in one.
    """
    bucket: list[tuple[int, int]] = []
    for count, alone in counts:
        if alone and bucket:
            yield bucket
            bucket = []
        start = _aligned(sum(bucket[-1]), _CORE_START) if bucket else 0
        bucket.append((start, count))
        if alone or (at_least is not None and start + count >= at_least):
            yield bucket
            bucket = []
    if bucket:
        yield bucket


def _aligned(count: int, multiple: int) -> int:
    return -(-count // multiple) * multiple
