"""Files of a torch.distributed.checkpoint folder, written by one process and planned before the first byte.

How long an archive of torch.save is depends on the shape and number format of its tensor only, so `.metadata` can say
where everything is before it is there, and files that an earlier attempt finished need not be opened.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from math import prod
from typing import Any

import torch
from torch.distributed.checkpoint import metadata
from torch.distributed.checkpoint.filesystem import _StorageInfo

from pretrain.checkpoint.boxes import Box
from pretrain.convert import torch_file
from pretrain.convert.megatron.dcp_folder import METADATA

FILE_BYTES = 1 << 30
"""A file is closed when the next chunk would make it larger; a larger chunk has a file of its own."""


Reads = Callable[[], Iterator[Callable[[], torch.Tensor]]]


@dataclass(frozen=True)
class TensorItem:
    """A chunk of a tensor, read while it is written."""

    key: str
    shape: tuple[int, ...]
    """Of the whole tensor."""
    box: Box
    dtype: torch.dtype
    reads: Reads
    """Gives what gives the numbers of the chunk, in order, in pieces of any shape."""

    @property
    def bytes(self) -> int:
        return _archive_bytes(self.box.sizes, self.dtype)

    def write(self, file: io.RawIOBase, told: Callable[[int], None]) -> None:
        _archive(file, self.box.sizes, self.dtype, self.reads, told)

    @property
    def index(self) -> metadata.MetadataIndex:
        return metadata.MetadataIndex(self.key, self.box.offsets)


@dataclass(frozen=True)
class ObjectItem:
    """Something that is no tensor, as bytes."""

    key: str
    data: bytes

    @property
    def bytes(self) -> int:
        return len(self.data)

    def write(self, file: io.RawIOBase, told: Callable[[int], None]) -> None:
        file.write(self.data)

    @property
    def index(self) -> metadata.MetadataIndex:
        return metadata.MetadataIndex(self.key)


Item = TensorItem | ObjectItem
Job = Callable[[io.RawIOBase], object]


def into_files(rank: int, items: Iterable[Item], file_bytes: int = FILE_BYTES) -> dict[str, list[Item]]:
    """Cut what a rank would save into files, by the names that torch gives them."""
    files: dict[str, list[Item]] = {}
    size = 0
    for item in items:
        if not files or size + item.bytes > file_bytes:
            files[f"__{rank}_{len(files)}.distcp"], size = [], 0
        list(files.values())[-1].append(item)
        size += item.bytes
    return files


def jobs(files: Mapping[str, Sequence[Item]], told: Callable[[int], None]) -> Iterator[tuple[str, Job]]:
    """What writes each file, and `.metadata`.

    Args:
        told: is told how many more bytes of tensors are written.
    """
    for name, items in files.items():
        yield name, _writing(name, items, told)
    described = pickle.dumps(_metadata(files))
    yield METADATA, lambda file: file.write(described)


def _writing(name: str, items: Sequence[Item], told: Callable[[int], None]) -> Job:
    def write(file: io.RawIOBase) -> None:
        for item, (offset, length) in zip(items, _places(items), strict=True):
            item.write(file, told)
            if file.tell() != offset + length:
                raise RuntimeError(f"{name}: {item.key} takes {file.tell() - offset} bytes, planned were {length}")

    return write


def _places(items: Sequence[Item]) -> Iterator[tuple[int, int]]:
    offset = 0
    for item in items:
        yield offset, item.bytes
        offset += item.bytes


def _metadata(files: Mapping[str, Sequence[Item]]) -> metadata.Metadata:
    described: dict[str, Any] = {}
    storage: dict[metadata.MetadataIndex, _StorageInfo] = {}
    for name, items in files.items():
        for item, (offset, length) in zip(items, _places(items), strict=True):
            storage[item.index] = _StorageInfo(name, offset, length)
            if isinstance(item, ObjectItem):
                described[item.key] = metadata.BytesStorageMetadata()
                continue
            if item.key not in described:
                properties = metadata.TensorProperties(dtype=item.dtype)
                described[item.key] = metadata.TensorStorageMetadata(properties, torch.Size(item.shape), [])
            chunk = metadata.ChunkStorageMetadata(torch.Size(item.box.offsets), torch.Size(item.box.sizes))
            described[item.key].chunks.append(chunk)
    return metadata.Metadata(state_dict_metadata=described, planner_data=None, storage_data=storage)


class _Counter(io.RawIOBase):
    """Forgets what is written to it, but not how much."""

    bytes = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.bytes += len(data)
        return len(data)


_ZEROS = 1 << 20


@lru_cache(maxsize=256)
def _archive_bytes(sizes: tuple[int, ...], dtype: torch.dtype) -> int:
    count, zeros = prod(sizes), torch.zeros(_ZEROS, dtype=dtype)
    counter = _Counter()
    reads = (partial(torch.narrow, zeros, 0, 0, min(_ZEROS, count - at)) for at in range(0, count, _ZEROS))
    _archive(counter, sizes, dtype, lambda: reads, lambda _: None)
    return counter.bytes


def _archive(
    file: io.RawIOBase, sizes: tuple[int, ...], dtype: torch.dtype, reads: Reads, told: Callable[[int], None]
) -> None:
    torch_file.write(file, torch_file.Lazy(torch_file.Storage(dtype, prod(sizes), reads), sizes), {}, told)
