"""megatron-core's torch_dist checkpoints as a source: any tensor and pipeline parallelism, any of its spellings."""

from __future__ import annotations

import io
import logging
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import torch

from configs.errors import UserError
from pretrain.checkpoint.boxes import Box, boxes_of_flat_range
from pretrain.convert.megatron import names
from pretrain.convert.megatron.dcp_folder import Chunk, Tensor, TorchDist
from pretrain.convert.model import Model
from pretrain.convert.pickles import in_megatron_common, read_plain
from pretrain.convert.source import Format
from pretrain.engines.base import Kind
from pretrain.models.rows import Row

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Part:
    """A box of an HF tensor, and the chunk in which its numbers are, in the same order."""

    hf: Box
    chunk: Chunk
    layer: tuple[int, ...]
    """Offset along the axis on which layers are stacked, if they are."""
    shift: int
    """What a row of the HF tensor is further down in the stored one."""


class MegatronSource:
    """Any box of any HF tensor out of a torch_dist folder.

    Masters are the optimizer's fp32 weights where it kept them, else what the model computes with.
    """

    kind: Format = "megatron"

    def __init__(self, folder: Path, model: Model) -> None:
        self._folder, self._dist = folder, TorchDist(folder)
        index = _Index(model.rows)
        for key, tensor in sorted(self._dist.tensors.items()):
            index.add(key, names.read(key, names.prefix(self._dist.tensors)), tensor)
        index.refuse_strangers(folder)
        if index.bound_to_layout:
            _warn(folder, index.bound_to_layout)
            index.optimizer.clear()
        self._parts = index.parts()
        self._refuse_gaps(model)
        common = _common(folder, self._dist)
        self.step = int(common.get("iteration", 0))
        self.adam_steps = max(_adam_steps(common.get("optimizer")), default=0)

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """HF names and shapes of what is there."""
        return self._shapes

    @property
    def has_moments(self) -> bool:
        """Whether there are Adam moments that fit any layout."""
        return any(kind != "master" for _, kind in self._parts)

    def dtype(self, name: str) -> torch.dtype:
        """Number format of the masters: fp32 if the optimizer's are there."""
        return self._parts[name, "master"][0].chunk.dtype

    def has(self, name: str, kind: Kind) -> bool:
        """Whether there is this kind of a tensor."""
        return (name, kind) in self._parts

    def read(self, name: str, box: Box, kind: Kind) -> torch.Tensor:
        """Values of a box as they are stored.

        Raises:
            UserError: if a file is damaged.
        """
        parts = self._parts[name, kind]
        out = torch.empty(box.sizes, dtype=parts[0].chunk.dtype)
        for part in parts:
            common = part.hf.intersect(box)
            if common is not None:
                rows = (common.offsets[0] + part.shift, *common.offsets[1:])
                stored = Box((*part.layer, *rows), (*(1 for _ in part.layer), *common.sizes))
                out[common.within(box)] = self._dist.read(part.chunk, stored).view(common.sizes)
        return out

    def close(self) -> None:
        """Let go of the files."""
        self._dist.close()

    def _refuse_gaps(self, model: Model) -> None:
        shapes = {name: shape for row in model.rows for name, shape in row.hf_shapes.items()}
        gaps = []
        for (name, kind), parts in self._parts.items():
            there = sum(part.hf.count for part in parts)
            if there != prod(shapes[name]):
                gaps.append(f"{name} ({kind}): {there:,} of {prod(shapes[name]):,} numbers are there")
        if gaps:
            raise UserError(f"{self._folder}: {'; '.join(gaps[:8])}; the save is not whole, take another iteration")
        self._shapes = {name: shapes[name] for name, kind in self._parts if kind == "master"}


class _Index:
    """Puts every stored chunk to the HF tensors that it holds a part of."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = {row.core: row for row in rows}
        self.weights: dict[tuple[str, Kind], list[_Part]] = defaultdict(list)
        self.optimizer: dict[tuple[str, Kind], list[_Part]] = defaultdict(list)
        self.bound_to_layout: list[str] = []
        """Keys of an optimizer's state that only its own layout can read."""
        self._strangers: list[str] = []

    def add(self, key: str, name: names.Name | None, tensor: Tensor) -> None:
        if name is None:
            self.bound_to_layout.append(key)
            return
        layers = range(tensor.shape[0]) if name.stacked and tensor.shape else range(1)
        cores = [name.core.format(layer) for layer in layers]
        if any(core not in self._rows for core in cores):
            self._strangers.append(f"the architecture has no place for {key}")
            return
        row = self._rows[cores[0]]
        needed = _stored_shape(row, name)
        shape = tensor.shape[1:] if name.stacked else tensor.shape
        if not name.weights and len(shape) > len(needed):
            self.bound_to_layout.append(key)  # flattened, as megatron-core up to 0.13 did
        elif shape == needed or (cores[0] in _OF_VOCABULARY and _is_padded(shape, needed)):
            for chunk in tensor.chunks:
                self._add_chunk(name, chunk)
        else:
            self._strangers.append(f"{key} is {list(shape)}, the architecture needs {list(needed)}")

    def _add_chunk(self, name: names.Name, chunk: Chunk) -> None:
        if not name.stacked:
            self._add_box(self._rows[name.core], name, chunk, (), chunk.box)
            return
        rest = Box(chunk.box.offsets[1:], chunk.box.sizes[1:])
        for layer in range(chunk.box.offsets[0], chunk.box.offsets[0] + chunk.box.sizes[0]):
            self._add_box(self._rows[name.core.format(layer)], name, chunk, (layer,), rest)

    def _add_box(self, row: Row, name: names.Name, chunk: Chunk, layer: tuple[int, ...], box: Box) -> None:
        folded = row.shape[: row.folded]
        above = 0 if name.half is None else name.half * prod(folded) // 2
        first = box.offsets[0] + above
        found = self.weights if name.weights else self.optimizer
        for leading in boxes_of_flat_range(folded, first, first + box.sizes[0]):
            unfolded = Box(leading.offsets + box.offsets[1:], leading.sizes + box.sizes[1:])
            for piece in row.to_hf(unfolded):  # which leaves out the vocabulary's padding
                at = names.flat_index(folded, piece.core.offsets) - above
                shift = at - piece.hf.offsets[0]
                found[piece.name, name.kind].append(_Part(piece.hf, chunk, layer, shift))

    def refuse_strangers(self, folder: Path) -> None:
        """Tensors that the architecture does not have end the conversion before anything is written."""
        if self._strangers:
            rest = f"; and {len(self._strangers) - 8} more" if len(self._strangers) > 8 else ""
            raise UserError(
                f"{folder}: {'; '.join(self._strangers[:8])}{rest}. Name the Hugging Face folder of its architecture "
                "with --model"
            )

    def parts(self) -> dict[tuple[str, Kind], list[_Part]]:
        """Where each kind of each HF tensor is; masters are the optimizer's where there are any."""
        return {**self.weights, **self.optimizer}


_OF_VOCABULARY = ("embedding.word_embeddings.weight", "output_layer.weight")


def _stored_shape(row: Row, name: names.Name) -> tuple[int, ...]:
    rows = prod(row.shape[: row.folded])
    return (rows if name.half is None else rows // 2, *row.shape[row.folded :])


def _is_padded(shape: tuple[int, ...], needed: tuple[int, ...]) -> bool:
    return len(shape) == len(needed) and shape[0] > needed[0] and shape[1:] == needed[1:]


def _warn(folder: Path, keys: Sequence[str]) -> None:
    _log.warning(
        "%s: the optimizer's state is cut up for the layout that wrote it (%s, and %d more), so its moments and fp32 "
        "masters are not converted, the weights are. To keep them, load it with Megatron in that layout and save it "
        "again with --dist-ckpt-optim-fully-reshardable",
        folder,
        keys[0],
        len(keys) - 1,
    )


def _common(folder: Path, dist: TorchDist) -> Any:
    path = folder / "common.pt"
    way_out = "only the number of steps is read from it: move it elsewhere, and the weights are converted without"
    if path.is_file():
        found = read_plain(path, path, in_megatron_common, way_out=way_out)
    elif names.COMMON in dist.objects:
        where = f"{folder}: {names.COMMON}"
        found = read_plain(io.BytesIO(dist.object(names.COMMON)), where, in_megatron_common)[0]
    else:
        found = {}
    return found if isinstance(found, Mapping) else {}


def _adam_steps(state: Any) -> Iterator[int]:
    """Every count of Adam's steps in the optimizer's state, whichever class it is of."""
    if isinstance(state, Mapping):
        for key, value in state.items():
            if key in ("step", "common_step") and not isinstance(value, Mapping):
                yield int(value)
            else:
                yield from _adam_steps(value)
    elif isinstance(state, list | tuple):
        for value in state:
            yield from _adam_steps(value)


def open_megatron(folder: Path, model: Model) -> MegatronSource:
    """Open the folder of one iteration.

    Raises:
        UserError: if it is damaged, or holds tensors that the architecture has no place for.
    """
    return MegatronSource(folder, model)
