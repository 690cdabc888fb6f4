"""Training as the run file wants it: in this process, or in several that torchrun starts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from importlib import import_module

from configs.errors import UserError
from configs.lock import HELD_ABOVE
from configs.resolved import RESOLVED
from configs.schema.run import Run


def train(run: Run) -> None:
    """Train to the end.

    Raises:
        UserError: if a process of several fails; it has said why.
    """
    if run.pretrain.parallel.processes == 1:
        import_module("pretrain.train").train(run)
        return
    command = [
        *(sys.executable, "-m", "torch.distributed.run", "--standalone"),
        f"--nproc_per_node={run.pretrain.parallel.processes}",
        *("-m", "pretrain", "train", str(run.run.dir / RESOLVED)),
    ]
    # Each process would take all cores for itself.
    threads = max(1, len(os.sched_getaffinity(0)) // run.pretrain.parallel.processes)
    environment = {
        **os.environ,
        HELD_ABOVE: str(run.run.dir),
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", str(threads)),
    }
    with subprocess.Popen(command, env=environment) as processes:
        try:
            status = processes.wait()
        except KeyboardInterrupt:
            processes.send_signal(signal.SIGINT)
            processes.wait()
            raise
    if status != 0:
        raise UserError(f"training stopped: a process ended with status {status}; its own message stands above")
