"""Progress of long work: a bar on a terminal, a line now and then in a log file; of several processes, the first's."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

_LINE_EVERY_S = 15.0

_log = logging.getLogger("tsugiki.progress")


class Progress:
    """Shows how far one piece of work is, how fast it goes, and when it will end.

    Args:
        title: what is being done, two or three words.
        total: how much there is of `unit`; 0 where nobody knows.
        unit: "MB" counts bytes and shows megabytes; anything else is shown as it is.
        before: how much of it an earlier attempt did.
        line_every_s: a log file has a line at least so often while `advance` is called.
    """

    def __init__(
        self, title: str, total: float, unit: str, before: float = 0, *, line_every_s: float = _LINE_EVERY_S
    ) -> None:
        self._title, self._unit, self._line_every_s = title, unit, line_every_s
        self._scale = 1e-6 if unit == "MB" else 1.0
        self._total = total * self._scale
        self._done = self._before = before * self._scale
        self._aside_s = 0.0
        self._aside_since: float | None = None
        self._started = self._last_line = time.monotonic()
        self._note = ""
        self._bar: RichProgress | None = None
        self._task: TaskID | None = None
        self._quiet = os.environ.get("RANK", "0") != "0"

    def __enter__(self) -> Progress:
        if sys.stderr.isatty() and not self._quiet:
            from rich.console import Console
            from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
            from rich.progress import Progress as RichProgress

            self._bar = RichProgress(
                TextColumn("{task.description:<22}"),
                BarColumn(bar_width=28),
                TextColumn("{task.percentage:>3.0f} %  {task.fields[rate]}"),
                TimeRemainingColumn(compact=True),
                TextColumn("{task.fields[note]}"),
                console=Console(stderr=True),
            )
            self._bar.start()
            self._task = self._bar.add_task(
                self._title, total=self._total or None, completed=int(self._done), rate="", note=""
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
        elif kind is None and not self._quiet:
            _log.info("%s", self._line(self._note, finished=True))

    def advance(self, amount: float, note: str = "") -> None:
        """Count `amount` more as done; `note` is shown beside, e.g. the loss."""
        self._done += amount * self._scale
        self._note = note or self._note
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=self._done, rate=self._rate(), note=self._note)
        elif time.monotonic() - self._last_line >= self._line_every_s:
            self.tell()

    def leave_out(self, amount: float) -> None:
        """`amount` needs no doing: it counts as done, and not towards the rate."""
        self._done += amount * self._scale
        self._before += amount * self._scale

    def tell(self, note: str = "") -> None:
        """Log a line now, also where there is a bar; `note` is shown instead of the last one."""
        self._last_line = time.monotonic()
        if not self._quiet:
            _log.info("%s", self._line(note or self._note, finished=False))

    @contextmanager
    def aside(self, what: str) -> Iterator[Callable[[int, int], None]]:
        """Something between that is no part of the total, such as an evaluation in training.

        Its time does not count towards the rate. What is given takes how much of it is done, and of how much.
        """
        note = self._note
        began = self._aside_since = time.monotonic()
        self.advance(0, what)
        try:
            yield lambda done, total: self.advance(0, f"{what} {done}/{total}")
        finally:
            self._note, self._aside_since = note, None
            self._aside_s += time.monotonic() - began

    def _seconds(self) -> float:
        now = time.monotonic() if self._aside_since is None else self._aside_since
        return now - self._started - self._aside_s

    def _amount(self, amount: float) -> str:
        return f"{amount:,.1f}" if self._unit == "MB" and self._total < 100 else f"{amount:,.0f}"

    def _rate(self) -> str:
        return f"{(self._done - self._before) / max(self._seconds(), 1e-3):,.1f} {self._unit}/s"

    def _line(self, note: str, *, finished: bool) -> str:
        parts = [
            f"{self._title:<22}",
            f"{self._amount(self._done)}/{self._amount(self._total)} {self._unit}",
            self._rate(),
        ]
        if finished:
            parts.append(f"{time.monotonic() - self._started:.1f} s")
        elif self._done > self._before and self._total:
            left = self._seconds() * (self._total - self._done) / (self._done - self._before)
            parts.append(f"ends in {left / 60:.0f} min" if left > 90 else f"ends in {left:.0f} s")
        return "  ".join([*parts, note] if note else parts)
