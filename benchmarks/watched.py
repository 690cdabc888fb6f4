"""A command that ran, and what it took."""

from __future__ import annotations

import resource
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import psutil

_SECONDS_BETWEEN_LOOKS = 0.5


@dataclass(frozen=True)
class Watched:
    """A command that ended, and what it took."""

    exit_code: int
    stdout: str
    stderr: str
    seconds: float
    processor_s: float
    """Of all its processes together."""
    peak_bytes: int
    """Most memory that all its processes had at once, shared pages counted once."""


def watch(command: Sequence[str]) -> Watched:
    """Run a command, and look at its processes until it ends."""
    started, before, peak = time.perf_counter(), processor_s(), 0
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        with subprocess.Popen(command, stdout=out, stderr=err) as process:
            while process.poll() is None:
                peak = max(peak, _bytes_of(process.pid))
                time.sleep(_SECONDS_BETWEEN_LOOKS)
        seconds = time.perf_counter() - started
        out.seek(0)
        err.seek(0)
        return Watched(process.returncode, out.read(), err.read(), seconds, processor_s() - before, peak)


def _bytes_of(pid: int) -> int:
    total = 0
    with suppress(psutil.NoSuchProcess):  # ended between two looks
        for process in (family := psutil.Process(pid), *family.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                total += process.memory_full_info().pss
    return total


def processor_s() -> float:
    """Of all processes that this one began and that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
