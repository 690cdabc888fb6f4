"""A process that does not outlive the one that started it."""

from __future__ import annotations

import ctypes
import os
import signal

STARTED_BY = "TSUGIKI_STARTED_BY"
"""Environment variable: number of the tsugiki process that started this one, and that speaks for it."""

_PR_SET_PDEATHSIG = 1


def end_with(parent: int) -> None:
    """Have the system end this process when its parent ends, however that ends."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def follow_starter() -> bool:
    """Whether another process of tsugiki started this one; if so, end with it."""
    if STARTED_BY not in os.environ:
        return False
    end_with(int(os.environ[STARTED_BY]))
    return True
