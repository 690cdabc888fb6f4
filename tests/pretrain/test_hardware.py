"""What a process computes on."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from pretrain import hardware

_TAKES_MEMORY = """
from pretrain import hardware
before = hardware.peak_memory_bytes()
block = bytearray(b"x") * before
del block
print(before, hardware.peak_memory_bytes())
"""


def test_memory_is_the_most_that_the_process_itself_held() -> None:
    if torch.cuda.is_available():
        pytest.skip("on a GPU it is that of the GPU")
    told = subprocess.run([sys.executable, "-c", _TAKES_MEMORY], capture_output=True, check=True, text=True)
    before, after = map(int, told.stdout.split())
    assert 2 * before * 0.9 < after < 2 * before * 1.5
    assert before < hardware.peak_memory_bytes() * 1.5  # this process has imported as much


def test_no_peak_is_known_of_a_cpu() -> None:
    if torch.cuda.is_available():
        pytest.skip("a GPU may have a peak")
    assert hardware.peak_flops() is None
    assert hardware.name() == "the CPU"
