"""Checkpoints that hold what a rollback has undone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from configs.artifact import MANIFEST
from configs.atomic_file import read_json
from pretrain.checkpoint.directory import complete, point_to_none, remove, set_aside, step_of
from pretrain.rollbacks import Rollback, is_undone, known_to


def undone(root: Path, rollbacks: Sequence[Rollback]) -> list[Path]:
    """The complete checkpoints that learned from undone steps, the newest last."""
    if not rollbacks:
        return []
    return [
        one
        for one in complete(root)
        if is_undone(rollbacks, step_of(one), known_to(read_json(one / MANIFEST)["config"]))
    ]


def discard(root: Path, rollbacks: Sequence[Rollback]) -> None:
    """Remove them, so that no run goes on from one; what a program reads is set aside until the next save."""
    for checkpoint in undone(root, rollbacks):
        if not remove(checkpoint):
            set_aside(checkpoint, "undone")
    if not complete(root):
        point_to_none(root)
