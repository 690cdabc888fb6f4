"""How fast real training runs were: the table is configs/tables/throughput.yaml."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import Field

from configs.load import load
from configs.schema.device import device_named
from configs.schema.section import Section

THROUGHPUT = Path(__file__).resolve().parents[1] / "tables" / "throughput.yaml"


class PublishedRun(Section):
    """What someone measured and published."""

    parameters: float = Field(gt=0)
    """Of the model."""
    device: str
    """As configs/tables/devices.yaml names it."""
    gpus: int | None = None
    """Of the run."""
    sharding: Literal["model", "data"]
    """model: tensor or pipeline parallelism; data: ZeRO or FSDP."""
    tflops: float = Field(gt=0)
    """Model operations per second and GPU, in 10¹²."""
    source: str
    """Where it stands."""

    @property
    def utilisation(self) -> float:
        """Share of the GPU's peak, 0 to 1."""
        return self.tflops * 1e12 / device_named(self.device).peak_flops


class PublishedRuns(Section):
    """The table."""

    runs: tuple[PublishedRun, ...] = Field(min_length=1)
    """In no order."""


@cache
def published_runs() -> tuple[PublishedRun, ...]:
    """All runs of the table."""
    return load(THROUGHPUT, PublishedRuns).runs
