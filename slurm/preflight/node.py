"""What one node has and how fast it is, found out on it."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import torch

from configs.journal import versions
from slurm.preflight.report import Gpu, NodeReport

_GIB = 1 << 30
_MEASURE_S = 0.5
"""Of each speed; long enough that a throttled clock or a busy neighbour shows."""
_WRITTEN_BYTES = 64 << 20
_PACKAGES = ("configs", "corpus", "tokenizer", "pretrain", "slurm", "tsugiki")


def look(directory: Path) -> NodeReport:
    """Everything that one node finds out alone, but speeds.

    Args:
        directory: of the run.
    """
    return NodeReport(
        gpus=[_gpu(number) for number in range(torch.cuda.device_count())],
        memory_gib=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / _GIB,
        free_disk_gib=shutil.disk_usage(directory).free / _GIB,
        versions={"python": platform.python_version(), **versions(), **_driver(), "tsugiki's files": _digest()},
    )


def measure(directory: Path) -> dict[str, float]:
    """The speeds of a node; of its GPUs the slowest counts."""
    devices = [torch.device("cuda", number) for number in range(torch.cuda.device_count())] or [torch.device("cpu")]
    found = {
        "matrix product": min(_matrix_product(device) for device in devices),
        "copy in memory": min(_copy(device, device) for device in devices),
        "writing": _writing(directory),
    }
    if torch.cuda.is_available():
        found["copy to the GPU"] = min(_copy(torch.device("cpu"), device) for device in devices)
    return found


def _gpu(number: int) -> Gpu:
    free, total = torch.cuda.mem_get_info(number)
    return Gpu(torch.cuda.get_device_name(number), total / _GIB, free / _GIB)


def _matrix_product(device: torch.device) -> float:
    """In 10¹² operations per second; in bfloat16 on a GPU, in float32 on a CPU."""
    side, dtype = (8192, torch.bfloat16) if device.type == "cuda" else (1024, torch.float32)
    left, right = (torch.ones(side, side, dtype=dtype, device=device) for _ in range(2))
    out = torch.empty_like(left)
    return 2 * side**3 * _per_second(lambda: torch.mm(left, right, out=out), device) / 1e12


def _copy(source: torch.device, target: torch.device) -> float:
    """In 10⁹ bytes per second that are copied."""
    size = (1 << 28) if target.type == "cuda" else (1 << 26)  # far beyond any cache
    original = torch.zeros(size, dtype=torch.uint8, device=source, pin_memory=source.type != target.type)
    copied = torch.zeros(size, dtype=torch.uint8, device=target)
    return size * _per_second(lambda: copied.copy_(original), target) / 1e9


def _per_second(work: Callable[[], object], device: torch.device) -> float:
    """How often `work` is done in a second, after it was done once."""

    def wait() -> None:
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    work()
    wait()
    began, times = time.monotonic(), 0
    while time.monotonic() - began < _MEASURE_S:
        work()
        wait()
        times += 1
    return times / (time.monotonic() - began)


def _writing(directory: Path) -> float:
    """In 10⁶ bytes per second that are on the disk."""
    block = os.urandom(1 << 20)  # nothing that a file system could make smaller
    path = directory / f".speed-{platform.node()}-{os.getpid()}"
    try:
        began = time.monotonic()
        with open(path, "wb", buffering=0) as out:
            for _ in range(_WRITTEN_BYTES >> 20):
                out.write(block)
            os.fsync(out.fileno())
        return _WRITTEN_BYTES / (time.monotonic() - began) / 1e6
    finally:
        path.unlink(missing_ok=True)


def _driver() -> dict[str, str]:
    path = Path("/proc/driver/nvidia/version")
    return {"driver": path.read_text().splitlines()[0]} if path.exists() else {}


def _digest() -> str:
    """Of the program's own files: a folder that was not brought up to date has the same version."""
    root, found = Path(__file__).resolve().parents[2], hashlib.sha256()
    for package in _PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            found.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return found.hexdigest()[:12]
