"""Boxes out of a checkpoint, whichever engine wrote it on however many ranks."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import torch
from safetensors import safe_open

from configs.artifact import Artifact
from configs.atomic_file import read_json
from configs.errors import UserError
from pretrain.checkpoint.boxes import Box
from pretrain.checkpoint.directory import Reading
from pretrain.checkpoint.part_file import index_name
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
        self._files: dict[str, Any] = {}
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

    def read(self, name: str, box: Box, kind: Kind) -> torch.Tensor:
        """float32 values of a box.

        Raises:
            UserError: if the checkpoint does not hold all of it.
        """
        out = torch.empty(box.sizes, dtype=torch.float32)
        filled = 0
        for stored, file, key in self._stored.get((name, kind), ()):
            common = stored.intersect(box)
            if common is not None:
                values = self._file(file).get_slice(key)[common.within(stored)]
                out[common.within(box)] = values
                filled += common.count
        if filled != box.count:
            raise UserError(f"{self._dir}: holds {filled} of the {box.count} numbers of {name} ({kind}) at {box}")
        return out

    def _file(self, name: str) -> Any:
        if name not in self._files:
            self._files[name] = safe_open(self._dir / name, framework="pt")
        return self._files[name]

    def close(self) -> None:
        """Let go of the files; until then the checkpoint is not removed."""
        self._files.clear()
        self._reading.close()
