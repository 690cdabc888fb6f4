"""Steps, tokens, time, energy and cost of a run, its checkpoints, and how many jobs that makes."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

from configs.errors import UserError
from configs.schema.device import Device
from configs.schema.run import Run
from pretrain.checkpoint.disk_space import most_at_a_time
from pretrain.estimate.setup import Model, Setup
from pretrain.estimate.throughput import utilisation_of
from pretrain.flops import ModelFlops
from pretrain.metrics_file import SPEED, read_metrics

_CHECKPOINT_BYTES = 12
"""Per number: the fp32 weight and two moments."""


@dataclass(frozen=True)
class Rates:
    """What the estimate is told by people."""

    tokens_per_s: float | None = None
    """Measured speed over all GPUs; none goes by published runs."""
    disk_gb_per_s: float = 2.0
    """How fast the file system takes a checkpoint, over all nodes, in 10⁹ bytes per second."""
    gpu_hour_price: float | None = None
    """Price of one GPU for one hour."""


def speed_of_run(checkpoints: Path) -> float:
    """Tokens per second over all ranks of a run that was measured, the median of what it wrote after its first line.

    Raises:
        UserError: if there is no such file, or it has less than two such lines: the first has what only the first
            steps have to do.
    """
    if not (checkpoints / SPEED).exists():
        raise UserError(
            f"{checkpoints / SPEED}: does not exist; name the folder `checkpoints` of a run that was trained"
        )
    speeds = [line["tokens_per_s"] for line in read_metrics(checkpoints, SPEED) if "tokens_per_s" in line][1:]
    if not speeds:
        raise UserError(
            f"{checkpoints / SPEED}: needs at least two measurements of speed; let the run go on for twice "
            f"pretrain.log.every_steps"
        )
    return float(statistics.median(speeds))


@dataclass(frozen=True)
class Work:
    """What is to be computed."""

    steps: int
    tokens: int
    flops: float

    @classmethod
    def of(cls, run: Run, model: Model) -> Work:
        """All stages; documents are taken to be as long as a sequence, which is the most that attention can cost."""
        settings, flops = run.pretrain, ModelFlops.of(model.config, model.parameters)
        steps, operations = 0, 0.0
        for stage in settings.stages.values():
            here = -(-stage.tokens // settings.batch_tokens)
            tokens = here * settings.batch_tokens
            pairs = tokens * (settings.seq_len_in(stage) + 1) // 2
            steps, operations = steps + here, operations + flops.of_step(tokens, pairs)
        return cls(steps, steps * settings.batch_tokens, operations)


def duration(work: Work, model: Model, setup: Setup, device: Device | None, rates: Rates) -> dict[str, Any]:
    """Seconds, and what follows from them; without a speed and without a device there are none."""
    if rates.tokens_per_s is not None:
        seconds = work.tokens / rates.tokens_per_s
        return _with_costs(
            {"seconds": seconds, "tokens_per_s": rates.tokens_per_s, "by": "measured"}, setup, device, rates
        )
    if device is None:
        return {}
    speed = utilisation_of(model.parameters.count, setup, device)
    peak = device.peak_flops * setup.world_size

    def seconds_at(share: float) -> float:
        return work.flops / (peak * share)

    found = {
        "seconds": seconds_at(speed.likely),
        "seconds_range": [seconds_at(speed.high), seconds_at(speed.low)],
        "tokens_per_s": work.tokens / seconds_at(speed.likely),
        "utilisation": speed.likely,
        "by": "published runs",
        "sources": list(speed.sources),
    }
    return _with_costs(found, setup, device, rates)


def _with_costs(found: dict[str, Any], setup: Setup, device: Device | None, rates: Rates) -> dict[str, Any]:
    hours = found["seconds"] / 3600 * setup.world_size
    found["gpu_hours"] = hours
    if device is not None:
        found["kwh"] = hours * device.watts / 1000
    if rates.gpu_hour_price is not None:
        found["cost"] = hours * rates.gpu_hour_price
    return found


def checkpoints(run: Run, model: Model, work: Work, rates: Rates) -> dict[str, Any]:
    """Size of one, seconds to write it, how many there will be, and what they take on the disk at most."""
    size = _CHECKPOINT_BYTES * model.parameters.count
    settings, ends = run.pretrain.checkpoint, accumulate(map(run.pretrain.steps_in, run.pretrain.stages.values()))
    saves = sorted({*range(settings.every_steps, work.steps + 1, settings.every_steps), *ends})
    goes_back = run.pretrain.guards.rollback_after is not None
    return {
        "bytes": size,
        "seconds": size / (rates.disk_gb_per_s * 1e9),
        "count": len(saves),
        "disk_bytes": size * most_at_a_time(settings, saves, goes_back=goes_back),
    }


def limit_seconds(time: str) -> int:
    """A Slurm time limit in seconds.

    >>> limit_seconds("1-02:00:30")
    93630
    """
    days, _, clock = time.rpartition("-")
    hours, minutes, seconds = map(int, clock.split(":"))
    return int(days or 0) * 86_400 + hours * 3600 + minutes * 60 + seconds


def jobs(seconds: float, steps: int, save_seconds: float, limit: int) -> int | None:
    """Jobs under a time limit; none if a job would end before it has done anything.

    Each job stops early enough for twice a step and a checkpoint.
    """
    usable = limit - 2 * (seconds / steps + save_seconds)
    return math.ceil(seconds / usable) if usable > 0 else None
