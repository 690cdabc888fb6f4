"""Memory of the fullest rank, by part."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pretrain.estimate.activations import kept_bytes, logit_bytes
from pretrain.estimate.held import Held, held
from pretrain.estimate.setup import Model, Setup

SAFE_SHARE = 0.8
"""Share of a GPU's memory below whose estimate no run was out of memory.

Source: Fujii et al., arXiv:2411.06465: 454 runs of 4D-parallel training on A100 and H100.
"""
_FP32 = 4
_MOMENTS = 2 * _FP32
_BUCKET = 100_000_000
"""Numbers that DeepSpeed reduces at a time."""
_ZERO3_GATHERED = 1_000_000_000
"""Numbers that ZeRO 3 may have gathered at once (`stage3_max_live_parameters`)."""

Parts = dict[str, float]
"""Bytes by part."""


@dataclass(frozen=True)
class Memory:
    """What the fullest rank needs."""

    stage: int
    """Its pipeline stage."""
    device: Parts
    """On the GPU."""
    host: Parts
    """In the node's memory, of the rank that needs most there."""

    @property
    def device_bytes(self) -> float:
        """On the GPU, all together."""
        return sum(self.device.values())

    @property
    def host_bytes(self) -> float:
        """In the node's memory, of the rank that needs most there."""
        return sum(self.host.values())

    def fit(self, setup: Setup, device_limit: float | None) -> bool:
        """Whether it fits, as far as limits are known."""
        on_device = device_limit is None or self.device_bytes <= device_limit
        return on_device and (setup.node_bytes is None or self.host_bytes_per_node(setup) <= setup.node_bytes)

    def host_bytes_per_node(self, setup: Setup) -> float:
        """Of all processes of a node."""
        return self.host_bytes * setup.parallel.processes


def memory(model: Model, setup: Setup) -> Memory:
    """Of the rank that needs most on the GPU, and of the one that needs most beside it."""
    ranks = [_of_rank(model, setup, here) for here in held(model, setup)]
    fullest = max(ranks, key=lambda rank: rank.device_bytes)
    return replace(fullest, host=max(ranks, key=lambda rank: rank.host_bytes).host)


def _of_rank(model: Model, setup: Setup, here: Held) -> Memory:
    device: Parts = {
        **state(setup, here),
        **working(setup, here),
        "activations": kept_bytes(model, setup, here),
        "logits": logit_bytes(model, setup, here),
    }
    host: Parts = {"checkpoint copy": (_FP32 + _MOMENTS) * here.optimised} if setup.copies_state else {}
    if setup.parallel.offload == "optimizer":
        for part in ("fp32 weights", "moments", "gradients"):
            host[part] = device.pop(part)
    return Memory(here.stage, device, host)


def state(setup: Setup, here: Held) -> Parts:
    """What outlives a step, to the byte: the weights that are computed with, their fp32 originals, Adam's moments."""
    computed = 2 if setup.precision == "bf16" else _FP32
    return {
        "weights": computed * here.weights,
        "fp32 weights": _FP32 * here.optimised if _has_originals(setup) else 0,
        "moments": _MOMENTS * here.optimised,
    }


def _has_originals(setup: Setup) -> bool:
    """Whether fp32 weights are kept beside those that are computed with; ZeRO 1 to 3 do so in fp32, too."""
    return setup.precision == "bf16" or (setup.engine == "deepspeed" and setup.parallel.zero != "0")


def working(setup: Setup, here: Held) -> Parts:
    """What a step needs beside state and activations: gradients, summed in fp32, and DeepSpeed's buffers."""
    if setup.engine != "deepspeed":
        return {"gradients": _FP32 * here.weights}
    bucket = _FP32 * min(_BUCKET, here.optimised * setup.data)
    if setup.parallel.zero in ("0", "1"):
        return {"gradients": _FP32 * here.weights, "ZeRO buckets": bucket}
    if setup.parallel.zero == "2":
        return {"gradients": _FP32 * here.optimised, "ZeRO buckets": bucket}
    computed = 2 if setup.precision == "bf16" else _FP32
    gathered = computed * min(_ZERO3_GATHERED, here.optimised * setup.data)
    return {"gradients": _FP32 * here.optimised, "ZeRO buckets": bucket, "gathered weights": gathered}
