"""Training as the run file wants it: in this process, or in several that are started here."""

from __future__ import annotations

import os
import sys
from importlib import import_module

from configs.lock import HELD_ABOVE
from configs.resolved import RESOLVED
from configs.schema.run import Run
from tsugiki.processes import run_together


def train(run: Run) -> None:
    """Train to the end.

    Raises:
        UserError: if a process of several fails; it has said why.
        UnfinishedError: if it was asked to stop, and has saved.
    """
    count = run.pretrain.parallel.processes
    if count == 1 or "RANK" in os.environ:
        import_module("pretrain.train").train(run)
        return
    import_module("pretrain.fits").refuse_misfit(run)  # told here once, instead of by each process
    # Each process would take all cores for itself.
    threads = max(1, len(os.sched_getaffinity(0)) // count)
    environment = {"OMP_NUM_THREADS": str(threads), "GLOO_SOCKET_IFNAME": "lo", **os.environ}
    command = [sys.executable, "-m", "pretrain", "train", str(run.run.dir / RESOLVED)]
    run_together(command, count, {**environment, HELD_ABOVE: str(run.run.dir)})
