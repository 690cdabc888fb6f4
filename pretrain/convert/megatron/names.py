"""What megatron-core calls its tensors on the disk, in all versions and settings that are read, and the ones written.

| on the disk | when |
|---|---|
| `decoder.layers.mlp.linear_fc2.weight`, (L, ...) | layers stacked: the default up to 0.19 |
| `decoder.layers.3.mlp.linear_fc2.weight` | `non_homogeneous_layers`, `singleton_local_shards`, and mixed models |
| `...linear_fc1.weight_w` and `..._v` | gate and up projection apart, with `singleton_local_shards` |
| `self_attention.linear_qkv.layer_norm_weight` | Transformer Engine's norms, and the local ones as 0.16 saves them |
| `input_layernorm.weight` | the same norm in layers that are not renamed when they are saved |
| `module.decoder...`, `model.decoder...` | NeMo |
| `optimizer.state.exp_avg.decoder...` | a moment; `chained_0.` in front of it if there are several optimizers |

Source: `sharded_state_dict` of megatron-core's `TransformerBlock`, `MLP`, `LanguageModule` and `DistributedOptimizer`,
0.16.1 and 0.19.2; `sharded_state_dict_keys_map` of its layer specs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from pretrain.engines.base import Kind

_KINDS: Mapping[str, Kind] = {
    "param": "master",  # DistributedOptimizer, fully_reshardable
    "fp32_param": "master",  # Float16OptimizerWithFloat16Params, and fully_sharded_model_space up to 0.14
    "master_param": "master",  # Transformer Engine's FusedAdam with its own masters
    "exp_avg": "exp_avg",
    "exp_avg_sq": "exp_avg_sq",
}

NORMS = {
    "self_attention.linear_qkv.layer_norm_weight": "input_layernorm.weight",
    "mlp.linear_fc1.layer_norm_weight": "pre_mlp_layernorm.weight",
}
"""Names on the disk of what the table of rows calls otherwise."""

OPTIMIZER = re.compile(r"(?:chained_\d+\.)?optimizer\.(.+)", re.DOTALL)
_STATE = re.compile(r"state\.([a-z0-9_]+?)\.(.+)")
_LAYER = re.compile(r"decoder\.layers\.(?:(\d+)\.)?(.+)")
_HALF = re.compile(r"(mlp\.linear_fc1\.weight)_([wv])")
_WORDS = "embedding.word_embeddings.weight"

COMMON = "common_state/shard_0_1"
"""Where 0.19 puts what older versions write to `common.pt`."""


@dataclass(frozen=True)
class Name:
    """What a tensor on the disk is."""

    core: str
    """Name in the table of rows, `{}` for the number of a stacked layer."""
    kind: Kind
    weights: bool
    """Whether it is what the model computes with, and not the optimizer's."""
    stacked: bool
    """Whether all layers are in it, along its first axis."""
    half: int | None = None
    """0 for the gate and 1 for the up projection where they are apart."""


def prefix(keys: Mapping[str, object]) -> str:
    """What stands before the name of every weight.

    >>> prefix({"module.decoder.final_layernorm.weight": 1, "module.embedding.word_embeddings.weight": 2})
    'module.'
    """
    found = [key.removesuffix(_WORDS) for key in keys if key.endswith(_WORDS) and OPTIMIZER.match(key) is None]
    return min(found, key=len, default="")


def read(key: str, prefix: str = "") -> Name | None:
    """What a key means; nothing if it is the state of an optimizer in a form that belongs to a layout.

    >>> read("optimizer.state.exp_avg.decoder.layers.self_attention.linear_qkv.layer_norm_weight")
    Name(core='decoder.layers.{}.input_layernorm.weight', kind='exp_avg', weights=False, stacked=True, half=None)
    >>> read("decoder.layers.7.mlp.linear_fc1.weight_v")
    Name(core='decoder.layers.7.mlp.linear_fc1.weight', kind='master', weights=True, stacked=False, half=1)
    """
    of_optimizer = OPTIMIZER.match(key)
    if of_optimizer is not None:
        state = _STATE.fullmatch(of_optimizer[1])
        if state is None or state[1] not in _KINDS:
            return None
        return replace(_weight(state[2].removeprefix(prefix)), kind=_KINDS[state[1]], weights=False)
    return _weight(key.removeprefix(prefix))


def _weight(key: str) -> Name:
    layer = _LAYER.fullmatch(key)
    if layer is None:
        return Name(key, "master", weights=True, stacked=False)
    number, rest = layer[1], layer[2]
    half = _HALF.fullmatch(rest)
    if half is not None:
        rest = half[1]
    rest = NORMS.get(rest, rest)
    core = f"decoder.layers.{'{}' if number is None else number}.{rest}"
    halves = {"w": 0, "v": 1}
    return Name(core, "master", True, number is None, None if half is None else halves[half[2]])


_DISK = {core: disk for disk, core in NORMS.items()}


def written(core: str) -> tuple[str, int | None]:
    """Under which key a core parameter is written, and which layer of the stack it is.

    >>> written("decoder.layers.3.pre_mlp_layernorm.weight")
    ('decoder.layers.mlp.linear_fc1.layer_norm_weight', 3)
    """
    layer = _LAYER.fullmatch(core)
    if layer is None:
        return core, None
    return f"decoder.layers.{_DISK.get(layer[2], layer[2])}", int(layer[1])


OPTIMIZER_KEYS: Mapping[Kind, str] = {
    "master": "optimizer.state.param.",
    "exp_avg": "optimizer.state.exp_avg.",
    "exp_avg_sq": "optimizer.state.exp_avg_sq.",
}
"""What stands before a key in the optimizer's state as `fully_reshardable` writes it."""


def flat_index(folded: Sequence[int], offsets: Sequence[int]) -> int:
    """Row, on the disk, of a place in an unfolded core parameter.

    Args:
        folded: the leading dimensions that are one on the disk.

    >>> flat_index((2, 5), (1, 3, 7))
    8
    """
    at = 0
    for size, offset in zip(folded, offsets, strict=False):
        at = at * size + offset
    return at


_MODULES = (
    "self_attention.core_attention",
    "self_attention.linear_qkv",
    "self_attention.linear_proj",
    "self_attention.q_layernorm",
    "self_attention.k_layernorm",
    "mlp.linear_fc1",
    "mlp.linear_fc2",
)


def extra_states(layers: range, of: int, *, last: bool) -> Iterator[str]:
    """Keys of the objects that megatron-core's modules ask for when they are loaded: Transformer Engine's FP8 scales.

    A key that nobody asks for is passed over, one that is missing ends the load.

    Args:
        of: layers of the whole model.
        last: whether the final norm is on this stage.
    """
    for layer in layers:
        for module in _MODULES:
            yield f"decoder.layers.{module}._extra_state/shard_{layer}_{of}"
    if last:
        yield "decoder.final_layernorm._extra_state/shard_0_1"
