"""This program's own checkpoints, read and written as one rank would.

What training needs beside weights and moments, the place in the order of samples and whose run it is, is in no other
format; a checkpoint that a conversion made says so and is not trained on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from io import RawIOBase
from pathlib import Path

import torch

from configs.artifact import Artifact
from configs.atomic_file import canonical_json
from configs.errors import UserError
from configs.progress import Progress
from pretrain.checkpoint.boxes import Box
from pretrain.checkpoint.directory import KIND, VERSION
from pretrain.checkpoint.part_file import PartFile, index_name, lay_out, part_index
from pretrain.checkpoint.reader import CheckpointReader
from pretrain.checkpoint.stream import pieces, stream
from pretrain.convert.hf import files_of, teller
from pretrain.convert.model import Model
from pretrain.convert.source import DTYPES, Format, StateSource
from pretrain.convert.target import Options, Written, write_files
from pretrain.engines.base import Kind, StatePart

_KINDS: tuple[Kind, ...] = ("master", "exp_avg", "exp_avg_sq")
_DTYPES = "dtypes"
"""Key of the manifest: number formats that weights had before they were widened to float32, by HF name."""


class CheckpointSource:
    """A complete checkpoint; its bytes are looked at beside, see `Rehash`.

    Raises:
        UserError: if it is not whole, or of another version of the program.
    """

    kind: Format = "checkpoint"

    def __init__(self, folder: Path) -> None:
        checkpoint = Artifact.open(folder, kind=KIND)
        if checkpoint.manifest["version"] != VERSION:
            raise UserError(
                f"{folder}: a checkpoint of format {checkpoint.manifest['version']}, this program reads {VERSION}"
            )
        state = checkpoint.manifest["config"]
        self.step = int(checkpoint.counts["step"])
        self.adam_steps = int(state.get("adam_steps", 0))
        self._narrow = {name: DTYPES[dtype] for name, dtype in state.get(_DTYPES, {}).items()}
        self._reader = CheckpointReader(checkpoint)
        self.shapes: Mapping[str, tuple[int, ...]] = self._reader.shapes
        self.has_moments = self._reader.has_moments

    def dtype(self, name: str) -> torch.dtype:
        """float32, or the narrower format that the conversion which made it found."""
        return self._narrow.get(name, torch.float32)

    def has(self, name: str, kind: Kind) -> bool:
        """Whether it holds this kind of a tensor."""
        return self._reader.has(name, kind)

    def read(self, name: str, box: Box, kind: Kind) -> torch.Tensor:
        """Values of a box; to a narrower format they return unchanged, because they came from there."""
        values = self._reader.read(name, box, kind)
        return values.to(self.dtype(name)) if kind == "master" else values

    def close(self) -> None:
        """Let go of the files."""
        self._reader.close()


def open_checkpoint(folder: Path, model: Model) -> CheckpointSource:
    """Open a checkpoint."""
    return CheckpointSource(folder)


def write(source: StateSource, out: Path, model: Model, options: Options, progress: Progress) -> Written:
    """Write weights, and moments where there are any, as float32; config.json and the tokenizer below `hf`."""
    parts = [
        StatePart(name, shape, Box.whole(shape), kind, torch.empty(shape, device="meta"))
        for name, shape in model.shapes.items()
        for kind in _KINDS
        if source.has(name, kind)
    ]
    layout, told = lay_out(0, parts), teller(progress)
    jobs: dict[str, Callable[[RawIOBase], object]] = {
        file.name: partial(_write_part, file, parts, source, told) for file in layout
    }
    files = write_files(out, jobs)
    index = canonical_json(part_index(layout, [files[file.name]["sha256"] for file in layout]))
    beside: dict[str, Callable[[RawIOBase], object]] = {index_name(0): lambda to: to.write(index)}
    beside |= {f"hf/{name}": job for name, job in files_of(model).items()}
    files |= write_files(out, beside)
    return Written(files, {"step": source.step, "ranks": 1, "tensors": len(model.shapes)})


def state_of(source: StateSource, model: Model) -> dict[str, object]:
    """What the manifest says of the state."""
    dtypes = {name: str(source.dtype(name)).removeprefix("torch.") for name in model.shapes}
    return {
        "step": source.step,
        "adam_steps": source.adam_steps,
        "labelled": 0,
        "skipped": 0,
        _DTYPES: {name: dtype for name, dtype in dtypes.items() if dtype != "float32"},
    }


def _write_part(
    file: PartFile, parts: list[StatePart], source: StateSource, told: Callable[[int], None], out: RawIOBase
) -> None:
    out.write(file.header)
    for piece in stream(_reads(parts[file.first : file.first + len(file.boxes)], source)):
        out.write(piece)
        told(len(piece))


def _reads(parts: list[StatePart], source: StateSource) -> Iterator[Callable[[], torch.Tensor]]:
    for part in parts:
        for box in pieces(part.shape, itemsize=4):
            yield partial(_widened, source, part, box)


def _widened(source: StateSource, part: StatePart, box: Box) -> torch.Tensor:
    return source.read(part.name, box, part.kind).to(torch.float32)
