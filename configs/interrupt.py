"""Ctrl-C that cannot be lost.

Python raises KeyboardInterrupt wherever the program stands, and that can be a place that swallows it: a callback from
compiled code, a finaliser, a library that turns it into an error of its own. So it is raised again until it has come
through, and whatever is raised after it counts as its consequence.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

STATUS = 130
"""Exit status of a program that Ctrl-C ended, as shells count it."""

_AGAIN_AFTER_S = 0.2


@contextmanager
def interruptible() -> Iterator[None]:
    """Run the body so that Ctrl-C ends it.

    Without effect off the main thread, and where Ctrl-C is ignored or somebody else's to handle.

    Raises:
        KeyboardInterrupt: if Ctrl-C came and the body did not get to its end.
    """
    if threading.current_thread() is not threading.main_thread() or (
        signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    ):
        yield
        return
    interrupt = _Interrupt()
    signal.signal(signal.SIGINT, interrupt.arrived)
    report = sys.unraisablehook
    sys.unraisablehook = _without_interrupts(report)
    try:
        yield
    except Exception as error:
        if interrupt.came.is_set():
            raise KeyboardInterrupt from error
        raise
    finally:
        interrupt.over.set()
        sys.unraisablehook = report
        signal.signal(signal.SIGINT, signal.default_int_handler)


class _Interrupt:
    """One Ctrl-C, from the signal to the end of the body."""

    def __init__(self) -> None:
        self.came, self.over = threading.Event(), threading.Event()

    def arrived(self, number: int, frame: FrameType | None) -> None:
        """The signal handler."""
        if not self.came.is_set():
            self.came.set()
            threading.Thread(target=self._again, daemon=True).start()
        # Where one is on its way already, a second would only break the tidying up.
        if not isinstance(sys.exc_info()[1], KeyboardInterrupt):
            raise KeyboardInterrupt

    def _again(self) -> None:
        while not self.over.wait(_AGAIN_AFTER_S):
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)


def _without_interrupts(report: Callable[[Any], Any]) -> Callable[[Any], None]:
    """What Python tells of exceptions that have nowhere to go, but for interrupts: those come again."""

    def only_errors(unraisable: Any) -> None:
        if not issubclass(unraisable.exc_type, KeyboardInterrupt):
            report(unraisable)

    return only_errors
