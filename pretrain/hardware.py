"""What this process computes on: its peak, and how much memory the run took of it."""

from __future__ import annotations

from pathlib import Path

import torch

from configs.schema.device import device_of_cuda


def peak_flops() -> float | None:
    """Operations per second that utilisation compares with, those of bfloat16; none where no table has them."""
    device = device_of_cuda(torch.cuda.get_device_name()) if torch.cuda.is_available() else None
    return None if device is None else device.peak_flops


def name() -> str:
    """As CUDA calls the GPU, or `the CPU`."""
    return torch.cuda.get_device_name() if torch.cuda.is_available() else "the CPU"


def peak_memory_bytes() -> int:
    """Most memory so far: what torch took for tensors on the GPU, or on a CPU all that this process held."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    # Not getrusage, which counts the program that started this one, too.
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status["VmHWM"].split()[0]) * 1024
