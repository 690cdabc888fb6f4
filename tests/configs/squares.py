"""A stage in small, run as a program: `python squares.py DIR TASKS [MOMENT]`; it ends itself with SIGKILL at MOMENT.

Prints the key of every task it does.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from configs.artifact import Builder, Done, build


def main(directory: Path, tasks: int, moment: str) -> None:
    """Square the numbers below `tasks`, one task each, and add the results up."""

    def reached(name: str) -> None:
        if name == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    builder = build(directory, kind="squares", version=1, config={"tasks": tasks}, inputs={"word": "squares"})
    if builder.complete is not None:
        return
    results = [_square(builder, number, reached) for number in range(tasks)]
    reached("before the file of the whole")
    with builder.file("sum.txt") as out:
        out.write(f"{sum(results)}\n".encode())
        reached("in the file of the whole")
    reached("before the manifest")
    builder.finish({"tasks": tasks, "sum": sum(results)})


def _square(builder: Builder, number: int, reached: object) -> int:
    assert callable(reached)
    reached(f"before task {number}")
    claim = builder.task(f"square-{number}")
    if isinstance(claim, Done):
        return int(claim.result)
    sys.stdout.write(f"{claim.key}\n")
    sys.stdout.flush()
    with claim.file(f"squares/{number}.txt") as out:
        out.write(f"{number}".encode())
        reached(f"in the file of task {number}")
        out.write(f" {number * number}\n".encode())
    with claim.file(f".tasks/notes/{number}.txt") as out:
        out.write(b"for later tasks only")
    reached(f"before the marker of task {number}")
    return int(claim.done(number * number).result)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else "")
