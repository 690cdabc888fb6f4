"""Boxes out of a Hugging Face folder, with rows grafted on.

Shapes: V rows of the base, N new rows, H hidden.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch

from configs.errors import UserError
from pretrain.checkpoint.boxes import Box
from pretrain.checkpoint.safetensors_file import SafetensorsFile
from pretrain.engines.base import Kind
from tokenizer.base import INDEX, SINGLE, weight_names


class HfFolderReader:
    """The weights of a safetensors folder, read box by box and never as a whole.

    Raises:
        UserError: if the folder has no safetensors, or its index names a file that is missing.
    """

    has_moments = False

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, SafetensorsFile] = {}
        for path in _weight_files(folder):
            opened = SafetensorsFile(path)
            self._files.update(dict.fromkeys(opened.names, opened))

    @property
    def names(self) -> frozenset[str]:
        """HF names of all tensors."""
        return frozenset(self._files)

    def shape(self, name: str) -> tuple[int, ...]:
        """Shape of a tensor."""
        return self._file(name).shape(name)

    def dtype(self, name: str) -> torch.dtype:
        """Number format in which a tensor is stored."""
        return self._file(name).dtype(name)

    def read(self, name: str, box: Box, kind: Kind = "master") -> torch.Tensor:
        """float32 values of a box.

        Raises:
            UserError: if the folder has no such tensor, or it is too small for the box.
        """
        return self.stored(name, box, kind).to(torch.float32)

    def stored(self, name: str, box: Box, kind: Kind = "master") -> torch.Tensor:
        """Values of a box as they are stored.

        Raises:
            UserError: as `read`.
        """
        if kind != "master":
            raise ValueError(f"a Hugging Face folder holds no {kind}")
        shape = self.shape(name)
        if len(shape) != len(box.sizes) or box.intersect(Box.whole(shape)) != box:
            raise UserError(f"{self._folder}: {name} has shape {shape}, the model needs {box}")
        return self._file(name).read(name, box)

    def close(self) -> None:
        """Let go of the files."""
        for file in self._files.values():
            file.close()

    def _file(self, name: str) -> SafetensorsFile:
        if name not in self._files:
            raise UserError(f"{self._folder}: has no tensor {name!r}, which the architecture in its config.json needs")
        return self._files[name]


def _weight_files(folder: Path) -> list[Path]:
    names = weight_names(folder)
    missing = [name for name in names if not (folder / name).exists()]
    if missing and (folder / INDEX).exists():
        raise UserError(
            f"{folder}: {', '.join(missing)} is missing, though {INDEX} names it; copy or download it again"
        )
    if missing:
        raise UserError(f"{folder}: has no {SINGLE}; only safetensors weights are read")
    return [folder / name for name in names]


class GraftedReader:
    """The weights of a base whose embeddings grow by new rows.

    Args:
        new_rows: by HF name of an embedding: float32, shape (N, H), appended below its V old rows.
    """

    has_moments = False

    def __init__(self, base: HfFolderReader, first_new_row: int, new_rows: Mapping[str, torch.Tensor]) -> None:
        self._base, self._first, self._new_rows = base, first_new_row, new_rows

    def read(self, name: str, box: Box, kind: Kind) -> torch.Tensor:
        """float32 values of a box that may reach into the new rows."""
        if name not in self._new_rows:
            return self._base.read(name, box, kind)
        old = box.intersect(Box((0, 0), (self._first, *self._base.shape(name)[1:])))
        pieces = [self._base.read(name, old, kind)] if old is not None else []
        new_NH = self._new_rows[name]
        new = box.intersect(Box((self._first, 0), (new_NH.shape[0], new_NH.shape[1])))
        if new is not None:
            rows, columns = new.slices
            pieces.append(new_NH[rows.start - self._first : rows.stop - self._first, columns])
        return torch.cat(pieces)
