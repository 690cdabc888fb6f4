"""How much memory a piece of work takes: the most that this process held, above what it held before.

Held is what the kernel counts as resident: allocated memory, not the page cache of files that are read and written.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


class PeakMemory:
    """Begins to look when it is made. Linux only."""

    def __init__(self) -> None:
        with suppress(OSError):  # some containers do not allow it
            _CLEAR.write_text("5")  # forgets the highest mark so far
        self.before = _bytes("VmRSS")

    @property
    def peak(self) -> int:
        """Most bytes that were held since; where the mark could not be forgotten, since the process began."""
        return max(_bytes("VmHWM"), self.before)


def _bytes(entry: str) -> int:
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith(f"{entry}:"))
    return int(line.split()[1]) * 1024
