"""Files of a torch.distributed.checkpoint folder, written by one process and planned before the first byte.

How long an archive of torch.save is depends on the shape and number format of its tensor only, so `.metadata` can say
where everything is before it is there, and files that an earlier attempt finished need not be opened.
"""

from __future__ import annotations

import io
import pickle
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import IO, Any, cast

import torch
from torch.distributed.checkpoint import metadata
from torch.distributed.checkpoint.filesystem import _StorageInfo

from pretrain.checkpoint.boxes import Box
from pretrain.convert.megatron.dcp_folder import METADATA

FILE_BYTES = 1 << 30
"""A file is closed when the next chunk would make it larger; a larger chunk has a file of its own."""


@dataclass(frozen=True)
class TensorItem:
    """A chunk of a tensor, made when its turn comes."""

    key: str
    shape: tuple[int, ...]
    """Of the whole tensor."""
    box: Box
    dtype: torch.dtype
    make: Callable[[], torch.Tensor]
    """Gives the chunk, in the box's shape."""

    @property
    def bytes(self) -> int:
        return _archive_bytes(self.box.sizes, self.dtype)

    def write(self, file: io.RawIOBase) -> None:
        torch.save(self.make(), cast(IO[bytes], file))

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

    def write(self, file: io.RawIOBase) -> None:
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


def jobs(files: Mapping[str, Sequence[Item]]) -> Iterator[tuple[str, Job]]:
    """What writes each file, and `.metadata`; two of the largest chunks are held, however many files are written."""
    room = _Room(2 * max(item.bytes for items in files.values() for item in items))
    for name, items in files.items():
        yield name, _writing(name, items, room)
    described = pickle.dumps(_metadata(files))
    yield METADATA, lambda file: file.write(described)


def _writing(name: str, items: Sequence[Item], room: _Room) -> Job:
    def write(file: io.RawIOBase) -> None:
        for item, (offset, length) in zip(items, _places(items), strict=True):
            with room.of(length):
                item.write(file)
            if file.tell() != offset + length:
                raise RuntimeError(f"{name}: {item.key} takes {file.tell() - offset} bytes, planned were {length}")

    return write


class _Room:
    """Memory that threads share."""

    def __init__(self, free: int) -> None:
        self._free, self._changed = free, threading.Condition()

    @contextmanager
    def of(self, count: int) -> Iterator[None]:
        """Wait until so many bytes are free, and hold them."""
        with self._changed:
            self._changed.wait_for(lambda: self._free >= count)
            self._free -= count
        try:
            yield
        finally:
            with self._changed:
                self._free += count
                self._changed.notify_all()


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


@lru_cache(maxsize=256)
def _archive_bytes(sizes: tuple[int, ...], dtype: torch.dtype) -> int:
    counter = _Counter()
    torch.save(torch.zeros(sizes, dtype=dtype), cast(IO[bytes], counter))
    return counter.bytes
