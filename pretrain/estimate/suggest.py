"""A layout that fits: of the run file's own engine if there is one, the one that gives away least speed.

What a layout gives away is recomputation, a third more work, and the pipeline's bubble. Among equals the one that talks
least comes first: ZeRO 3 gathers weights in every pass, tensor ranks talk in every layer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from configs.schema.device import Device
from configs.schema.pretrain import EngineName, Parallel
from pretrain.estimate.memory import SAFE_SHARE, memory
from pretrain.estimate.setup import Model, Setup
from pretrain.estimate.throughput import kept_share

_LARGEST_TENSOR = 8
"""Tensor ranks beyond one node's fast links wait for the network in every layer."""
_MOST_NODES = 128
_ENGINES: tuple[EngineName, ...] = ("single", "deepspeed", "megatron")


@dataclass(frozen=True)
class Suggestion:
    """A setup that fits."""

    setup: Setup
    bytes: float
    """Of the fullest GPU."""
    host_bytes_per_node: float
    """Compared with what the run file says of a node's memory, if it does."""


def limit_bytes(device: Device) -> float:
    """What an estimate may come to."""
    return SAFE_SHARE * device.memory_bytes


def suggest(model: Model, asked: Setup, device: Device) -> Suggestion | None:
    """What fits on the same processes, or None; another engine only if the run file's has nothing that does."""
    for engine in (asked.engine, *(engine for engine in _ENGINES if engine != asked.engine)):
        fits = [
            Suggestion(setup, needed.device_bytes, needed.host_bytes_per_node(setup))
            for setup in _candidates(replace(asked, engine=engine))
            if not setup.problems(model.config) and (needed := memory(model, setup)).fit(setup, limit_bytes(device))
        ]
        if fits:
            # The first of equals.
            return max(fits, key=lambda one: kept_share(one.setup))
    return None


def nodes_needed(model: Model, asked: Setup, device: Device) -> Suggestion | None:
    """What fits on the first doubling of the nodes where something does, or None up to the most a run has."""
    setup = asked
    while setup.nodes * 2 <= _MOST_NODES:
        setup = replace(setup, nodes=setup.nodes * 2)
        if (found := suggest(model, setup, device)) is not None:
            return found
    return None


def _candidates(asked: Setup) -> Iterator[Setup]:
    """All ways to share with an engine, those that talk least first."""
    overlap = asked.parallel.overlap and asked.engine == "megatron"
    plain = replace(asked, parallel=Parallel(processes=asked.parallel.processes, overlap=overlap), recompute="none")
    for one in (plain, replace(plain, recompute="layers")):
        if asked.engine == "megatron":
            yield from _megatron(one)
        elif asked.engine == "deepspeed":
            yield from (one.laid_out(zero=stage) for stage in "123")
        elif one.world_size == 1:
            yield one
    if asked.engine == "deepspeed":
        yield replace(plain, recompute="layers").laid_out(zero="3", offload="optimizer")


def _megatron(plain: Setup) -> Iterator[Setup]:
    tensor = 1
    while tensor <= min(_LARGEST_TENSOR, plain.parallel.processes):
        pipeline = 1
        while tensor * pipeline <= plain.world_size:
            yield plain.laid_out(tensor=tensor, pipeline=pipeline, sequence=tensor > 1)
            pipeline *= 2
        tensor *= 2
