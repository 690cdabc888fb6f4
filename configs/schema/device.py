"""Accelerators: how much memory, how fast, how many watts; the table is configs/tables/devices.yaml."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from pydantic import Field

from configs.errors import UserError
from configs.load import load
from configs.schema.section import Section

DEVICES = Path(__file__).resolve().parents[1] / "tables" / "devices.yaml"
_GIB = 1 << 30


class Device(Section):
    """One kind of accelerator."""

    memory_gib: float = Field(gt=0)
    """What it offers programs."""
    bf16_tflops: float = Field(gt=0)
    """Dense matrix multiplication in bfloat16, in 10¹² operations per second."""
    watts: float = Field(gt=0)
    """Of the board at full load."""
    cuda_names: tuple[str, ...] = Field(min_length=1)
    """How its name begins in CUDA."""

    @property
    def memory_bytes(self) -> int:
        """What it offers programs."""
        return int(self.memory_gib * _GIB)

    @property
    def peak_flops(self) -> float:
        """Operations per second that no program exceeds."""
        return self.bf16_tflops * 1e12


class Devices(Section):
    """The table."""

    devices: dict[str, Device] = Field(min_length=1)
    """By the name that run files and command lines use."""


@cache
def known_devices() -> dict[str, Device]:
    """All devices of the table."""
    return load(DEVICES, Devices).devices


def device_named(name: str) -> Device:
    """The device that a run file or a command line names.

    Raises:
        UserError: names those that are known.
    """
    devices = known_devices()
    if name not in devices:
        raise UserError(f"no GPU {name!r} in configs/tables/devices.yaml; known: {', '.join(devices)}")
    return devices[name]


def device_of_cuda(cuda_name: str) -> Device | None:
    """The device that CUDA calls so, or None if the table has none; the longest beginning decides.

    >>> device_of_cuda("NVIDIA L40S").watts
    350.0
    """
    found = [
        (len(beginning), device)
        for device in known_devices().values()
        for beginning in device.cuda_names
        if cuda_name.startswith(beginning)
    ]
    return max(found, key=lambda pair: pair[0])[1] if found else None
