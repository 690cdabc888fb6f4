"""Processes that train several runs one after the other: starting them takes longer than a tiny run."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from configs.program import leave
from configs.schema.run import Run
from pretrain import loop, ranks
from pretrain.engines import process_group
from pretrain.engines.base import Engine
from pretrain.engines.build import build_engine
from pretrain.micro_batch import MicroBatch
from pretrain.train import train
from tests.tiny import tiny_run
from tsugiki.processes import run_together

REPOSITORY = Path(__file__).parents[2]

Fed = list[list[str]]
"""By optimizer step: a digest of each sequence, in the order in which engines got them."""


def train_in_turn(root: Path, runs: Sequence[Sequence[str]], processes: int = 2) -> None:
    """Train runs that are packed already, by real processes of one engine.

    Args:
        root: has the run file, the base and the documents.
        runs: overrides of each.
    """
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "ignore", __file__, str(root), json.dumps([list(one) for one in runs])]
    run_together(command, processes, environment)


def train_recorded(run: Run) -> None:
    """Train, and write down on each rank what its engine is fed with."""
    fed: Fed = []
    data_rank: list[int] = []

    def build(*arguments: Any) -> Engine:
        engine = build_engine(*arguments)
        step = engine.train_step
        data_rank[:] = [engine.data_rank[0]]

        def recorded(batches: Sequence[MicroBatch], *more: Any) -> Any:
            fed.append([digest for batch in batches for digest in digests(batch, run.pretrain.seq_len)])
            return step(batches, *more)

        vars(engine)["train_step"] = recorded
        return engine

    vars(loop)["build_engine"] = build  # the name that the loop looks up
    train(run)
    (run.run.dir / f"fed-{ranks.rank()}.json").write_text(json.dumps([data_rank[0], fed]))


def digests(batch: MicroBatch, seq_len: int) -> list[str]:
    """One of each sequence, over its tokens and labels."""
    rows = zip(batch.tokens_T.split(seq_len), batch.labels_T.split(seq_len), strict=True)
    return [hashlib.sha256(b"".join(one.numpy().tobytes() for one in row)).hexdigest() for row in rows]


def fed_to(run: Run) -> Fed:
    """What was fed over all data ranks; ranks that share a model have been fed with the same."""
    by_rank: dict[int, Fed] = {}
    for path in run.run.dir.glob("fed-*.json"):
        rank, fed = json.loads(path.read_text())
        assert by_rank.setdefault(rank, fed) == fed
    parts = [by_rank[rank] for rank in sorted(by_rank)]
    return [[digest for part in step for digest in part] for step in zip(*parts, strict=True)]


if __name__ == "__main__":
    for words in json.loads(sys.argv[2]):
        train_recorded(tiny_run(Path(sys.argv[1]), *words))
    process_group.stop()
    leave(0)
