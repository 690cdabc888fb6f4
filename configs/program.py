"""The process of a command line: from its first import to its exit status, which nothing that comes late changes."""

from __future__ import annotations

import atexit
import os
import signal
import sys
from contextlib import suppress
from importlib import import_module
from typing import NoReturn

from configs.interrupt import STATUS as INTERRUPTED
from configs.interrupt import interruptible


def run_program(name: str, module: str) -> NoReturn:
    """Do what the command line says, and end the process.

    Args:
        module: has the function `verbs`; imported here, because Ctrl-C can come while it is.
    """
    end = _End()
    # Registered first, so that it runs last.
    atexit.register(end.leave)
    # numpy's BLAS begins threads when it is imported, and nothing here multiplies by it: the workers of a stage are
    # copies of their program only where that has one thread (corpus/workers.py).
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        with interruptible():
            main, verbs = import_module("configs.cli").main, import_module(module).verbs
        end.status = main(name, verbs)
    except KeyboardInterrupt:
        end.status = INTERRUPTED
    except SystemExit as stop:  # argparse, after it has said why
        end.status = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the work is over
    sys.exit(end.status)


class _End:
    """The status that the process ends with, by its own hand and before the interpreter is taken down.

    Where an interrupt has passed through exec() of a string, as every named tuple and data class is made by, CPython
    kills the process by the signal at its end, although the interrupt was handled. And a thread of a library that is
    in C++ while the interpreter is taken down aborts it, though the work is done.
    """

    status = 1
    """Until the work says otherwise: an error that nobody caught."""

    def leave(self) -> None:
        leave(self.status)


def leave(status: int) -> NoReturn:
    """End the process where it stands, with what it has said so far."""
    for stream in (sys.stdout, sys.stderr):
        # A reader that went away, or a stream that was closed because of that.
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(status)
