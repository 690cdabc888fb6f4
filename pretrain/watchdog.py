"""A training that hangs says where, and ends.

A process that waits for another that never comes would hold all its GPUs until the batch system ends the job. The
ranks take their steps together, so when one hangs all do, and each writes down where it stands.
"""

from __future__ import annotations

import faulthandler
import os
import socket
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

STACKS = "hang"
"""Folder in run.dir for the stacks of the latest hang."""

_LOOKS_EVERY_S = 1.0
_OTHERS_NOTICE_S = 5.0


class Watchdog:
    """Ends this process when nothing has come to its end for too long. Used as a context.

    Args:
        seconds: how long that is; none is for ever.
        directory: where the stacks go; made when there are some.
    """

    def __init__(self, seconds: float | None, directory: Path, rank: int) -> None:
        self._seconds, self._directory, self._rank = seconds, directory, rank
        self._since: float | None = None
        self._over = threading.Event()

    def beat(self) -> None:
        """Something begins or has come to its end; time counts from here."""
        self._since = time.monotonic()

    def rest(self) -> None:
        """Nothing is watched until the next beat."""
        self._since = None

    def late(self) -> bool:
        """Whether what was begun has taken too long."""
        since, seconds = self._since, self._seconds
        return since is not None and seconds is not None and time.monotonic() - since > seconds

    def __enter__(self) -> Watchdog:
        if self._seconds is not None:
            threading.Thread(target=self._watch, args=(self._seconds,), name="watchdog", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()

    def _watch(self, seconds: float) -> None:
        while not self._over.wait(min(_LOOKS_EVERY_S, seconds / 10)):
            if self.late():
                self._end(seconds)

    def _end(self, seconds: float) -> None:
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            with open(self._directory / f"rank-{self._rank:05d}.txt", "w", encoding="utf-8") as out:
                # Files of an earlier hang may lie beside it: one that is stopped writes none.
                out.write(
                    f"process {self._rank} on {socket.gethostname()}, {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC\n\n"
                )
                out.flush()
                faulthandler.dump_traceback(out, all_threads=True)
            where = f"where each process stands is in {self._directory}"
        except OSError as error:
            where = f"its stacks could not be written ({error.strerror})"
        sys.stderr.write(
            f"tsugiki: training hangs: on process {self._rank} no step has ended for {seconds:g} s "
            f"(pretrain.hang_seconds); {where}; the same command goes on from the last checkpoint\n"
        )
        sys.stderr.flush()
        # The end of one breaks the others' waiting; they are to write their stacks first.
        time.sleep(_OTHERS_NOTICE_S)
        os._exit(1)
