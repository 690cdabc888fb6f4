"""The product's own command line, to which something happens at one call of a function: never too early or too late.

    python -m tests.at_call MODULE FUNCTION TIMES RANK WHAT VERB…

When the process of a rank calls the function for the n-th time, WHAT happens first: a signal of this number, which it
sends itself, or `fill:DIR`, after which the disk of a directory has room for one block. VERB… goes to `pretrain`.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from configs.program import run_program


def arrange(module: str, function: str, times: int, what: str) -> None:
    """Have it happen in this process."""
    owner: Any = import_module(module)
    before, calls = getattr(owner, function), 0

    def disturbed(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == times:
            happen(what)
        return before(*arguments, **named)

    setattr(owner, function, disturbed)


def happen(what: str) -> None:
    """Now."""
    if not what.startswith("fill:"):
        os.kill(os.getpid(), int(what))
        return
    disk = Path(what.removeprefix("fill:"))
    room = os.statvfs(disk)
    with open(disk / "somebody-else's", "wb") as out:  # all but a block
        os.posix_fallocate(out.fileno(), 0, (room.f_bavail - 1) * room.f_frsize)


if __name__ == "__main__":
    module, function, times, rank, what, *verb = sys.argv[1:]
    if os.environ.get("RANK", "0") == rank:
        arrange(module, function, int(times), what)
    sys.argv = ["tsugiki pretrain", *verb]
    run_program("tsugiki pretrain", "pretrain.cli")
