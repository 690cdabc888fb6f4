"""Boxes out of a checkpoint, whichever engine wrote it on however many ranks."""

from __future__ import annotations

from collections import defaultdict

import torch

from configs.artifact import Artifact
from configs.atomic_file import read_json
from configs.errors import UserError
from pretrain.checkpoint.boxes import Box
from pretrain.checkpoint.directory import Reading
from pretrain.checkpoint.part_file import index_name
from pretrain.checkpoint.safetensors_file import SafetensorsFile
from pretrain.engines.base import Kind


class CheckpointReader:
    """Reads any box of a complete checkpoint by putting together the stored boxes that overlap it.

    While it lives and is not closed, the checkpoint is not removed by a run that keeps fewer.
    """

    def __init__(self, checkpoint: Artifact, *, moments: bool = True) -> None:
        self._dir = checkpoint.dir
        self._reading = Reading(self._dir)
        self._stored: dict[tuple[str, str], list[tuple[Box, str, str]]] = defaultdict(list)
        self._shapes: dict[str, tuple[int, ...]] = {}
        self._files: dict[str, SafetensorsFile] = {}
        self._moments = moments
        for rank in range(int(checkpoint.counts["ranks"])):
            for entry in read_json(self._dir / index_name(rank))["boxes"]:
                box = Box(tuple(entry["offsets"]), tuple(entry["sizes"]))
                self._stored[entry["name"], entry["kind"]].append((box, entry["file"], entry["key"]))
                self._shapes[entry["name"]] = tuple(entry["shape"])

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """HF names and shapes of all tensors."""
        return dict(self._shapes)

    @property
    def has_moments(self) -> bool:
        """Whether Adam moments are stored, and asked for."""
        return self._moments and any(kind == "exp_avg" for _, kind in self._stored)

    def has(self, name: str, kind: Kind) -> bool:
        """Whether it holds anything of this kind of a tensor."""
        return (name, kind) in self._stored

    def read(self, name: str, box: Box, kind: Kind) -> torch.Tensor:
        """float32 values of a box.

        Raises:
            UserError: if the checkpoint does not hold all of it.
        """
        out, filled = None, 0
        for stored, file, key in self._stored.get((name, kind), ()):
            common = stored.intersect(box)
            if common is not None:
                inner = Box(tuple(a - b for a, b in zip(common.offsets, stored.offsets, strict=True)), common.sizes)
                values = self._file(file).read(key, inner)
                if common == box:
                    return values
                out = torch.empty(box.sizes, dtype=torch.float32) if out is None else out
                out[common.within(box)] = values
                filled += common.count
        if out is None or filled != box.count:
            raise UserError(f"{self._dir}: holds {filled} of the {box.count} numbers of {name} ({kind}) at {box}")
        return out

    def _file(self, name: str) -> SafetensorsFile:
        if name not in self._files:
            self._files[name] = SafetensorsFile(self._dir / name)
        return self._files[name]

    def close(self) -> None:
        """Let go of the files; until then the checkpoint is not removed."""
        self._files.clear()
        self._reading.close()
