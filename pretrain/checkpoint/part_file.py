"""One rank's boxes in one safetensors file, streamed and hashed as it is written."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from configs.atomic_file import atomic_file, write_json
from pretrain.engines.base import StatePart


def part_name(rank: int) -> str:
    """File of a rank's boxes; its index has the same name and ends in .json.

    >>> part_name(3)
    'part-00003.safetensors'
    """
    return f"part-{rank:05d}.safetensors"


def index_name(rank: int) -> str:
    """File that says which boxes the part holds."""
    return f"part-{rank:05d}.json"


def write_part(directory: Path, rank: int, parts: Sequence[StatePart]) -> None:
    """Write the boxes of one rank, then their index; the index is there when the part is whole.

    The safetensors library wants all bytes in memory before it writes the first; here one box at a time goes
    from its device to the file.

    Raises:
        UserError: if the disk is full or not writable.
    """
    entries = [_entry(part) for part in parts]
    with atomic_file(directory / part_name(rank)) as out:
        out.write(_header(entries))
        for part in parts:
            out.write(_bytes_of(part.tensor))
    index = {"boxes": entries, "file": out.record}
    write_json(directory / index_name(rank), index)


def _entry(part: StatePart) -> dict[str, Any]:
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


def _header(entries: Sequence[dict[str, Any]]) -> bytes:
    described: dict[str, Any] = {}
    position = 0
    for entry in entries:
        size = 4 * int(torch.Size(entry["sizes"]).numel())
        described[entry["key"]] = {
            "dtype": "F32",
            "shape": entry["sizes"],
            "data_offsets": [position, position + size],
        }
        position += size
    if len(described) != len(entries):
        raise ValueError("the same box occurs twice on this rank")
    text = json.dumps(described, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # the format aligns the data to eight bytes
    return struct.pack("<Q", len(text)) + text


def _bytes_of(tensor: torch.Tensor) -> memoryview:
    return tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data
