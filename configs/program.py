"""The process of a command line: from its first import to its exit status, which nothing that comes late changes."""

from __future__ import annotations

import atexit
import os
import signal
import sys
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
    try:
        with interruptible():
            main, verbs = import_module("configs.cli").main, import_module(module).verbs
        end.status = main(name, verbs)
    except KeyboardInterrupt:
        end.status = INTERRUPTED
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the work is over
    sys.exit(end.status)


class _End:
    """The status that the process ends with.

    Where an interrupt has passed through exec() of a string, as every named tuple and data class is made by, CPython
    kills the process by the signal at its end, although the interrupt was handled; so the process ends itself then.
    """

    status = 0

    def leave(self) -> None:
        if self.status == INTERRUPTED:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(self.status)
