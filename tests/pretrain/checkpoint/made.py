"""Small states, cut as engines cut them, and checkpoints of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch

from configs.artifact import Artifact
from pretrain.checkpoint.boxes import Box
from pretrain.checkpoint.commit import commit
from pretrain.checkpoint.directory import partial_dir
from pretrain.checkpoint.part_file import write_part
from pretrain.engines.base import StatePart

WHOLE = torch.arange(24, dtype=torch.float32).reshape(6, 4)
VECTOR = torch.arange(5, dtype=torch.float32) + 100


def part(name: str, whole: torch.Tensor, box: Box, kind: str = "master") -> StatePart:
    """A box of a tensor as an engine would give it."""
    return StatePart(name, tuple(whole.shape), box, kind, whole[box.slices])  # type: ignore[arg-type]  # a Kind


def write_two_ranks(root: Path, step: int, attempt: str = "a") -> None:
    """Rows 0 to 2 and the vector on rank 0, rows 3 to 5 in two pieces on rank 1."""
    directory = partial_dir(root, step, attempt)
    write_part(directory, 0, [part("w", WHOLE, Box((0, 0), (3, 4))), part("v", VECTOR, Box((0,), (5,)))])
    write_part(directory, 1, [part("w", WHOLE, Box((3, 0), (3, 1))), part("w", WHOLE, Box((3, 1), (3, 3)))])


def checkpoint(root: Path, step: int) -> Artifact:
    """A complete checkpoint of two ranks."""
    write_two_ranks(root, step)
    return commit(root, step, "a", 2, {}, timeout_s=1)


class Holding:
    """What a saver asks of an engine."""

    def __init__(self, *parts: StatePart) -> None:
        self.parts = parts

    def local_state(self) -> Iterator[StatePart]:
        return iter(self.parts)
