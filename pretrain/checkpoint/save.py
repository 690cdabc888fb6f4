"""Saving from a running engine: every rank its part, rank 0 the commit."""

from __future__ import annotations

import shutil
from pathlib import Path

from configs.errors import UserError
from pretrain import ranks
from pretrain.checkpoint.commit import commit, partial_dir
from pretrain.checkpoint.part_file import write_part
from pretrain.engines.base import Engine
from pretrain.job import Progressed

_PART_TIMEOUT_S = 1800.0


def save(root: Path, engine: Engine, done: Progressed, attempt: str, world_size: int) -> None:
    """Write a checkpoint; it is there when this returns on rank 0.

    Raises:
        UserError: if the disk is full or not writable; what was begun is removed.
    """
    directory = partial_dir(root, done.step, attempt)
    try:
        write_part(directory, ranks.rank(), list(engine.local_state()))
        if ranks.rank() == 0:
            commit(root, done.step, attempt, world_size, done.to_json(), timeout_s=_PART_TIMEOUT_S)
    except UserError:
        shutil.rmtree(directory, ignore_errors=True)
        raise
    ranks.wait_for_all()
