"""Processes that train several runs one after the other: starting them takes longer than a tiny run."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from configs.program import leave
from pretrain.engines import process_group
from pretrain.train import train
from tests.tiny import tiny_run
from tsugiki.processes import run_together

REPOSITORY = Path(__file__).parents[2]


def train_in_turn(root: Path, runs: Sequence[Sequence[str]], processes: int = 2) -> None:
    """Train runs that are packed already, by real processes of one engine.

    Args:
        root: has the run file, the base and the documents.
        runs: overrides of each.
    """
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "ignore", __file__, str(root), json.dumps([list(one) for one in runs])]
    run_together(command, processes, environment)


if __name__ == "__main__":
    for words in json.loads(sys.argv[2]):
        train(tiny_run(Path(sys.argv[1]), *words))
    process_group.stop()
    leave(0)
