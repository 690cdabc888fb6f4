"""How fast a model of this size trains, by published runs: the table is configs/tables/throughput.yaml."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from configs.schema.device import Device, device_named
from configs.schema.throughput import PublishedRun, published_runs
from pretrain.estimate.setup import Setup

_NEAR = 2.0
"""Published runs with a model larger or smaller by up to this factor count as near."""


@dataclass(frozen=True)
class Utilisation:
    """Share of the peak that runs like this one reach, 0 to 1."""

    likely: float
    low: float
    high: float
    sources: tuple[str, ...]


def utilisation_of(parameters: int, setup: Setup, device: Device) -> Utilisation:
    """From published runs of about this size, on this GPU where there are any, less what this setup does beside them.

    The median is likely; the slowest and the fastest give the range.
    """
    sharding = "model" if setup.engine == "megatron" else "data"
    same = [run for run in published_runs() if run.sharding == sharding]
    on_device = [run for run in same if device_named(run.device) == device]
    near = _near(parameters, on_device or same)
    shares = sorted(run.utilisation for run in near)
    kept = kept_share(setup)
    return Utilisation(
        likely=statistics.median(shares) * kept,
        low=shares[0] * kept,
        high=shares[-1] * kept,
        sources=tuple(run.source for run in near),
    )


def _near(parameters: int, runs: Sequence[PublishedRun]) -> list[PublishedRun]:
    def factor(run: PublishedRun) -> float:
        return math.exp(abs(math.log(run.parameters / parameters)))

    near = [run for run in runs if factor(run) <= _NEAR]
    return near or [min(runs, key=factor)]


def kept_share(setup: Setup) -> float:
    """What recomputation and the pipeline's bubble leave of the speed, 0 to 1.

    Source: a second forward pass makes six operations eight (Korthikanti et al., arXiv:2205.05198, section 6); a
    pipeline of p stages idles for p - 1 of m + p - 1 micro-batches (Narayanan et al., arXiv:2104.04473, section 2.2).
    """
    recomputed = 6 / 8 if setup.recompute == "layers" else 1.0
    micro_batches = max(setup.micro_batches, 1)
    return recomputed * micro_batches / (micro_batches + setup.parallel.pipeline - 1)
