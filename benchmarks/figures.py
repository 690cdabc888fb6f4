"""One figure of a benchmark, and how a time is taken."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import Any

Figures = dict[str, dict[str, Any]]


def figure(value: float, unit: str, **peers: float) -> dict[str, Any]:
    """A figure beside what it is compared with, measured in the same run."""
    return {"value": value, "unit": unit, "peers": peers}


def best_seconds(work: Callable[[], object], rounds: int = 5) -> float:
    """Least wall time of some rounds after one that warms up: others on the machine only ever add time."""
    work()
    seconds = []
    for _ in range(rounds):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return min(seconds)


def cpu_seconds(work: Callable[[], object], rounds: int = 3) -> float:
    """Least processor time of some rounds after one that warms up: what one core would take by itself."""
    work()
    seconds = []
    for _ in range(rounds):
        started = time.process_time()
        work()
        seconds.append(time.process_time() - started)
    return min(seconds)


def failed(figures: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Metrics that are above their `limit` or below their `least`, or no number at all."""
    return [
        metric
        for metric, one in figures.items()
        if not one["peers"].get("least", -math.inf) <= one["value"] <= one["peers"].get("limit", math.inf)
    ]
