from __future__ import annotations

import time

import torch

from pretrain.engines.stopwatch import Stopwatch


def test_it_counts_what_is_inside_and_starts_anew_when_asked() -> None:
    watch = Stopwatch(torch.device("cpu"))
    for _ in range(2):
        with watch.running():
            time.sleep(0.01)
    began = time.perf_counter()
    seconds = watch.take()
    assert seconds >= 0.02
    assert watch.take() == 0.0
    assert time.perf_counter() >= began
