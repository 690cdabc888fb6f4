"""A state in memory, as a source, and DeepSpeed checkpoints of it."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import torch

from configs.progress import Progress
from pretrain.checkpoint.boxes import Box
from pretrain.convert.deepspeed.source import DeepSpeedSource, open_deepspeed
from pretrain.convert.deepspeed.target import write
from pretrain.convert.model import Model
from pretrain.convert.source import Format
from pretrain.convert.target import Options
from pretrain.engines.base import Kind

KINDS: tuple[Kind, ...] = ("master", "exp_avg", "exp_avg_sq")


class Made:
    """Random numbers for every tensor of a model.

    Args:
        frozen: names that have no moments; none to have any at all makes a state before the first step.
    """

    kind: Format = "checkpoint"

    def __init__(self, model: Model, frozen: Collection[str] = (), dtype: torch.dtype = torch.float32) -> None:
        generator = torch.Generator().manual_seed(7)
        self.shapes = model.shapes
        self._dtype = dtype
        self._tensors = {
            (name, kind): torch.randn(shape, generator=generator).to(dtype if kind == "master" else torch.float32)
            for name, shape in model.shapes.items()
            for kind in KINDS
            if kind == "master" or name not in frozen
        }
        self.has_moments = len(self._tensors) > len(model.shapes)
        self.step, self.adam_steps = (40, 30) if self.has_moments else (0, 0)

    def dtype(self, name: str) -> torch.dtype:
        return self._dtype

    def has(self, name: str, kind: Kind) -> bool:
        return (name, kind) in self._tensors

    def read(self, name: str, box: Box, kind: Kind) -> torch.Tensor:
        return self._tensors[name, kind][box.slices]

    def close(self) -> None:
        pass


def written(source: Made, model: Model, out: Path, options: Options) -> Path:
    """Write a checkpoint; gives the folder of its tag."""
    with Progress("write", 0, "MB") as progress:
        write(source, out, model, options, progress)
    return out / f"global_step{source.step}"


def differences(source: Made, found: DeepSpeedSource) -> list[str]:
    """What of a source is not found bit for bit."""
    wrong = [name for name in source.shapes if found.shapes.get(name) != source.shapes[name]]
    for name, shape in source.shapes.items():
        for kind in KINDS:
            if source.has(name, kind) != found.has(name, kind):
                wrong.append(f"{kind}:{name} is there or not")
            elif source.has(name, kind):
                mine, theirs = (one.read(name, Box.whole(shape), kind) for one in (source, found))
                if not torch.equal(mine.to(theirs.dtype), theirs):
                    wrong.append(f"{kind}:{name}")
    return wrong


def reopened(folder: Path, model: Model) -> DeepSpeedSource:
    """The checkpoint as a source."""
    return open_deepspeed(folder, model)
