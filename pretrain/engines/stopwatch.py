"""How long forward passes take on this rank, the one part of a step in which no rank waits for another."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch


class Stopwatch:
    """Adds up the time of some work; on a GPU the GPU's own, without waiting for it."""

    def __init__(self, device: torch.device) -> None:
        self._on_gpu = device.type == "cuda"
        self._seconds = 0.0
        self._spans: list[tuple[torch.cuda.Event, torch.cuda.Event]] = []

    @contextmanager
    def running(self) -> Iterator[None]:
        """Count the time of what is done inside."""
        if self._on_gpu:
            begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            begin.record()
            yield
            end.record()
            self._spans.append((begin, end))
        else:
            began = time.perf_counter()
            yield
            self._seconds += time.perf_counter() - began

    def take(self) -> float:
        """Seconds since it was last asked; on a GPU it waits for the last span to end."""
        seconds, self._seconds = self._seconds, 0.0
        for begin, end in self._spans:
            end.synchronize()
            seconds += begin.elapsed_time(end) / 1000
        self._spans.clear()
        return seconds
