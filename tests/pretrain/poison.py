"""Samples that no model should learn: the labels of some steps are one and the same token, which makes a gradient
several times as large as the usual one. Also run as a program, which may kill itself on the way.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Container, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from configs.program import leave
from configs.schema.run import Run
from pretrain.loader import Loader
from pretrain.metrics_file import read_metrics
from pretrain.micro_batch import NO_LABEL, MicroBatch
from pretrain.rollbacks import Rollback
from pretrain.stage import checkpoints_dir
from pretrain.train import train
from tests.tiny import tiny_run

TOKEN = 299
LARGEST_USUAL_NORM = 2.0
"""Gradients of the tiny run are below it, those of poisoned steps above."""
GUARDS = f"pretrain.guards={{max_grad_norm: {LARGEST_USUAL_NORM}, rollback_after: 3, rollback_steps: 1}}"
POISON = range(5, 8)
"""Steps that are enough for a rollback with these guards."""
LEFT_OUT = Rollback(4, 8, 5)
"""What that rollback leaves out: the poisoned steps, 6 to 8 when counted from 1, and one before them."""


@contextmanager
def poisoned(steps: Container[int]) -> Iterator[list[int]]:
    """The samples of these optimizer steps, from 0, are poisoned; gives the steps whose samples were asked for."""
    honest, asked = Loader.micro_batches, []

    def micro_batches(self: Loader, step: int, data_rank: tuple[int, int]) -> list[MicroBatch]:
        asked.append(step)
        batches = honest(self, step, data_rank)
        for batch in batches if step in steps else ():
            batch.labels_T[batch.labels_T != NO_LABEL] = TOKEN
        return batches

    Loader.micro_batches = micro_batches  # type: ignore[method-assign]
    try:
        yield asked
    finally:
        Loader.micro_batches = honest  # type: ignore[method-assign]


def trained_with_poison(run: Run) -> Run:
    """The same run, trained."""
    with poisoned(POISON):
        train(run)
    return run


def lines_of(run: Run, kind: str) -> list[dict[str, Any]]:
    """The measurements of a kind."""
    return [line for line in read_metrics(checkpoints_dir(run)) if line["kind"] == kind]


def kill_at(where: str, name: str, times: int) -> None:
    """Let this process end, as SIGKILL does it, when a function of a module is called for the n-th time."""
    module: Any = import_module(where)
    function, calls = getattr(module, name), 0

    def killing(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == times:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **named)

    setattr(module, name, killing)


def main() -> None:
    """Train a run with poisoned steps. Words: module, function, times (or 0) and rank of a kill; root, overrides."""
    where, name, times, rank, root, *words = sys.argv[1:]
    if os.environ.get("RANK", "0") == rank and int(times):
        kill_at(where, name, int(times))
    trained_with_poison(tiny_run(Path(root), *words))
    leave(0)


if __name__ == "__main__":
    main()
