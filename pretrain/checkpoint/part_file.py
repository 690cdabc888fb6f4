"""One rank's boxes in safetensors files of about a gigabyte, streamed and hashed as they are written.

Several files rather than one, because SHA-256 of a file is the work of one core: files are hashed, written, checked
and read beside each other.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from configs.atomic_file import atomic_file, canonical_json, write_json
from pretrain.checkpoint.safetensors_file import header
from pretrain.engines.base import StatePart

FILE_BYTES = 1 << 30
"""A file is closed when the next box would make it larger; a larger box has a file of its own."""


class CalledOffError(Exception):
    """The save was called off while it was written."""


def part_name(rank: int, number: int = 0) -> str:
    """File of a rank's boxes; its index has the same name and ends in .json.

    >>> part_name(3)
    'part-00003-000.safetensors'
    """
    return f"part-{rank:05d}-{number:03d}.safetensors"


def index_name(rank: int) -> str:
    """File that says which boxes a rank's files hold."""
    return f"part-{rank:05d}.json"


@dataclass(frozen=True)
class PartFile:
    """A file before it is written."""

    name: str
    header: bytes
    boxes: tuple[dict[str, Any], ...]
    """As they stand in the index."""
    first: int
    """Number of its first box among the rank's."""
    start: int
    """Bytes of the rank's boxes before its first."""
    data_bytes: int

    @property
    def bytes(self) -> int:
        """Its size."""
        return len(self.header) + self.data_bytes


Data = Callable[[PartFile], Iterator[memoryview]]
"""Gives the bytes of a file's boxes, in order, in pieces of any size."""


def lay_out(rank: int, parts: Sequence[StatePart], file_bytes: int = FILE_BYTES) -> list[PartFile]:
    """Cut the boxes of a rank into files; needs their shapes only."""
    boxes = [_box(part) for part in parts]
    if len({box["key"] for box in boxes}) != len(boxes):
        raise ValueError("the same box occurs twice on this rank")
    files: list[PartFile] = []
    first, start, size = 0, 0, 0
    for at in range(len(boxes) + 1):
        here = _bytes(boxes[at]) if at < len(boxes) else 0
        if at == len(boxes) or (at > first and size + here > file_bytes):
            name = part_name(rank, len(files))
            some = tuple({**box, "file": name} for box in boxes[first:at])
            head = header([(box["key"], torch.float32, box["sizes"]) for box in some])
            files.append(PartFile(name, head, some, first, start, size))
            first, start, size = at, start + size, 0
        size += here
    return files


def bytes_on_disk(rank: int, files: Sequence[PartFile], block_bytes: int) -> int:
    """What the files and their index take, in whole blocks of the file system."""
    index = canonical_json(part_index(files, ["0" * 64] * len(files)))
    sizes = [*(file.bytes for file in files), len(index)]
    return sum(-(-size // block_bytes) * block_bytes for size in sizes)


def write_part(directory: Path, rank: int, parts: Sequence[StatePart], file_bytes: int = FILE_BYTES) -> None:
    """Write the boxes of one rank, each from where it is, then their index.

    Raises:
        UserError: if the disk is full or not writable.
    """

    def data(file: PartFile) -> Iterator[memoryview]:
        return (_bytes_of(part.tensor) for part in parts[file.first : file.first + len(file.boxes)])

    write_files(directory, rank, lay_out(rank, parts, file_bytes), data)


def write_files(
    directory: Path, rank: int, files: Sequence[PartFile], data: Data, *, stop: threading.Event | None = None
) -> None:
    """Write the files of one rank, several at a time, then their index; the index is there when all are whole.

    The safetensors library wants all bytes in memory before it writes the first; here they are streamed.

    Args:
        stop: calls the save off.
    Raises:
        UserError: if the disk is full or not writable.
        CalledOffError: if it was called off.
    """
    failed = threading.Event()

    def write(file: PartFile) -> str:
        try:
            with atomic_file(directory / file.name) as out:
                out.write(file.header)
                for piece in data(file):
                    if failed.is_set() or (stop is not None and stop.is_set()):
                        raise CalledOffError
                    out.write(piece)
        except BaseException:
            failed.set()
            raise
        digest: str = out.record["sha256"]
        return digest

    with ThreadPoolExecutor(min(len(files), threads()), "checkpoint") as pool:
        running = [pool.submit(write, file) for file in files]
    errors = [error for future in running if (error := future.exception()) is not None]
    if errors:
        # Those that stopped because another failed are not the reason.
        raise next((error for error in errors if not isinstance(error, CalledOffError)), errors[0])
    write_json(directory / index_name(rank), part_index(files, [future.result() for future in running]))


def threads() -> int:
    """How many files this process works on at a time: its share of the CPUs it may use."""
    return max(1, len(os.sched_getaffinity(0)) // int(os.environ.get("LOCAL_WORLD_SIZE", "1")))


def part_index(files: Sequence[PartFile], digests: Sequence[str]) -> dict[str, Any]:
    """What the index of a rank's files says."""
    return {
        "boxes": [box for file in files for box in file.boxes],
        "files": {
            file.name: {"bytes": file.bytes, "sha256": digest} for file, digest in zip(files, digests, strict=True)
        },
    }


def _box(part: StatePart) -> dict[str, Any]:
    if part.tensor.dtype != torch.float32 or tuple(part.tensor.shape) != part.box.sizes:
        raise ValueError(f"{part.name} {part.kind}: {part.tensor.dtype} {tuple(part.tensor.shape)} is not {part.box}")
    corner = ",".join(map(str, part.box.offsets))
    return {
        "key": f"{part.kind}:{part.name}@{corner}",
        "name": part.name,
        "shape": list(part.shape),
        "kind": part.kind,
        "offsets": list(part.box.offsets),
        "sizes": list(part.box.sizes),
    }


def _bytes(box: dict[str, Any]) -> int:
    return 4 * int(torch.Size(box["sizes"]).numel())


def _bytes_of(tensor: torch.Tensor) -> memoryview:
    return tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data
