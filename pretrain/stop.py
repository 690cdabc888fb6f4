"""Stopping before the end: somebody asks one process, all agree after the same step, save, and end with status 75."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

from configs.errors import UserError
from configs.schema.guards import Stop
from pretrain import ranks

FILE = "stop"
"""Name in the run's directory; whoever makes such a file asks training to stop. It is removed once that is done."""

_SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)
_SLURM_END = "SLURM_JOB_END_TIME"
# What ranks tell each other: 0 is nothing, then these, then the numbers of signals.
_FILE, _MINUTES, _ALLOCATION, _SIGNAL = 1, 2, 3, 4


class StopRequests:
    """Whether training is asked to stop. Used as a context: signals are heard inside.

    Args:
        file: see `FILE`; looked for by rank 0.
    Raises:
        UserError: if Slurm's variable is no number.
    """

    def __init__(self, settings: Stop, file: Path) -> None:
        self._settings, self._file = settings, file
        self._began = time.monotonic()
        self._allocation_ends_s = _allocation_ends_s()
        self._before_end_s = settings.before_end_s
        if self._allocation_ends_s is not None:
            # A job so short that nothing else were left trains for half of its time.
            self._before_end_s = min(settings.before_end_s, (self._allocation_ends_s - time.time()) / 2)
        self._heard: int | None = None
        self._before: dict[int, Any] = {}

    def agreed(self) -> str | None:
        """Who asks, in words for people, if anybody asks any rank. Collective; made for every step."""
        told = ranks.largest(self._told())
        if told == _FILE:
            return f"the file {self._file} asks for it"
        if told == _MINUTES:
            return f"pretrain.stop.minutes ({self._settings.minutes:g}) are over"
        if told == _ALLOCATION:
            return f"the Slurm allocation ends in less than {self._before_end_s:.0f} s"
        return f"{signal.Signals(told - _SIGNAL).name} asks for it" if told else None

    def _told(self) -> int:
        minutes = self._settings.minutes
        if self._heard is not None:
            return _SIGNAL + self._heard
        if self._allocation_ends_s is not None and time.time() > self._allocation_ends_s - self._before_end_s:
            return _ALLOCATION
        if minutes is not None and time.monotonic() > self._began + 60 * minutes:
            return _MINUTES
        return _FILE if ranks.rank() == 0 and self._file.exists() else 0

    def obeyed(self) -> None:
        """Training has saved and stops: the next start is not to stop again."""
        if ranks.rank() == 0:
            self._file.unlink(missing_ok=True)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        self._heard = number

    def __enter__(self) -> StopRequests:
        # Python lets only the main thread listen; elsewhere whoever started the thread does.
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._hear) for number in _SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)


def _allocation_ends_s() -> float | None:
    """When the Slurm job ends, in seconds since 1970; none outside of Slurm."""
    text = os.environ.get(_SLURM_END)
    try:
        return None if text is None else float(text)
    except ValueError:
        raise UserError(f"the environment variable {_SLURM_END} must be a number, got {text!r}") from None
