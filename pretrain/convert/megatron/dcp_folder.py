"""torch.distributed.checkpoint's folders, read without it: chunks of tensors, each a torch.save archive inside a file.

`.metadata` says which chunk of which tensor is where. In an archive the numbers stand uncompressed, so that rows of a
chunk can be read where they lie.
"""

from __future__ import annotations

import io
import os
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from configs.errors import UserError, from_os_error
from pretrain.checkpoint.boxes import Box
from pretrain.convert.pickles import DcpBytes, DcpTensor, read_metadata, read_plain

METADATA = ".metadata"


@dataclass(frozen=True)
class Stored:
    """Bytes of a file in the folder."""

    file: str
    offset: int
    length: int


@dataclass(frozen=True)
class _Lies:
    """How a tensor lies in its archive."""

    dtype: torch.dtype
    offset: int
    """Of its first number, in bytes."""
    sizes: tuple[int, ...]


@dataclass(frozen=True)
class Chunk:
    """A box of a tensor, and where it is."""

    box: Box
    dtype: torch.dtype
    stored: Stored


@dataclass(frozen=True)
class Tensor:
    """A tensor in chunks."""

    shape: tuple[int, ...]
    chunks: tuple[Chunk, ...]


class TorchDist:
    """A folder of `.distcp` files; threads may read at once.

    Attributes:
        tensors: by the key they were saved under.
        objects: what is no tensor, by key; its bytes are read only when asked for.
    Raises:
        UserError: if a file is missing or too short, or `.metadata` is damaged or not on the list of what is read.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        if not (folder / METADATA).is_file():
            raise UserError(
                f"{folder}: has no {METADATA}, which torch.distributed.checkpoint writes last; the save failed"
            )
        try:
            self.tensors, self.objects = _contents(read_metadata(folder / METADATA))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise UserError(f"{folder / METADATA}: damaged, or of a version that is not known ({error!r})") from None
        self._files = {name: self._open(name, end) for name, end in self._ends().items()}
        self._known: dict[Stored, _Lies] = {}
        self.close = weakref.finalize(self, _close_all, list(self._files.values()))

    def _ends(self) -> dict[str, int]:
        ends: dict[str, int] = {}
        chunks = [chunk.stored for tensor in self.tensors.values() for chunk in tensor.chunks]
        for stored in (*chunks, *self.objects.values()):
            if Path(stored.file).name != stored.file:
                raise UserError(f"{self._folder / METADATA}: names a file outside of its folder, {stored.file!r}")
            ends[stored.file] = max(ends.get(stored.file, 0), stored.offset + stored.length)
        return ends

    def _open(self, name: str, end: int) -> int:
        path = self._folder / name
        if not path.is_file():
            raise UserError(f"{path}: missing, though {METADATA} names it; copy it from where it was saved")
        if path.stat().st_size < end:
            raise UserError(
                f"{path}: cut short, {path.stat().st_size:,} of at least {end:,} bytes; copy it from where it was saved"
            )
        return os.open(path, os.O_RDONLY)

    def object(self, key: str) -> bytes:
        """The bytes of what is no tensor: an archive of torch.save."""
        return self._bytes(self.objects[key])

    def read(self, chunk: Chunk, box: Box) -> torch.Tensor:
        """A box that lies in a chunk, in the tensor's coordinates; only the rows that it takes are read.

        Raises:
            UserError: if the archive is damaged, or is not the chunk that `.metadata` tells of.
        """
        lies = self._lies(chunk.stored)
        if (lies.sizes, lies.dtype) != (chunk.box.sizes, chunk.dtype):
            raise UserError(
                f"{self._where(chunk.stored)}: is {lies.dtype} of {list(lies.sizes)}, {METADATA} says {chunk.dtype} of "
                f"{list(chunk.box.sizes)}; the two are of different saves"
            )
        first, last, sizes, index = _leading_run(box.within(chunk.box), chunk.box.sizes)
        size = lies.dtype.itemsize
        begin, end = (lies.offset + number * size for number in (first, last))
        if end > chunk.stored.length:
            raise UserError(f"{self._where(chunk.stored)}: damaged, a tensor reaches beyond its archive")
        data = self._pread(chunk.stored.file, chunk.stored.offset + begin, end - begin)
        return torch.frombuffer(data, dtype=lies.dtype).view(sizes)[index]

    def _where(self, stored: Stored) -> str:
        return f"{self._folder / stored.file} at byte {stored.offset:,}"

    def _bytes(self, stored: Stored) -> bytes:
        return bytes(self._pread(stored.file, stored.offset, stored.length))

    def _pread(self, file: str, begin: int, count: int) -> bytearray:
        data = bytearray(count)
        view, at = memoryview(data), 0
        while at < count:
            try:
                got = os.preadv(self._files[file], [view[at : at + (1 << 30)]], begin + at)
            except OSError as error:
                error.filename = str(self._folder / file)
                raise from_os_error(error) or error from error
            if got == 0:
                raise UserError(f"{self._folder / file}: cut short while it was read")
            at += got
        return data

    def _lies(self, stored: Stored) -> _Lies:
        """How the one tensor of an archive lies in it."""
        if stored not in self._known:
            where = self._where(stored)
            tensor = read_plain(io.BufferedReader(_Part(self, stored)), where, device="meta")
            if not isinstance(tensor, torch.Tensor) or not tensor.is_contiguous():
                raise UserError(f"{where}: holds something else than one contiguous tensor")
            begin = tensor.untyped_storage()._checkpoint_offset
            assert begin is not None  # documented with torch.load on the meta device
            begin += int(tensor.storage_offset()) * tensor.dtype.itemsize
            self._known[stored] = _Lies(tensor.dtype, begin, tuple(tensor.shape))
        return self._known[stored]


class _Part(io.RawIOBase):
    """An archive inside a file, as a file of its own."""

    def __init__(self, folder: TorchDist, stored: Stored) -> None:
        self._folder, self._stored, self._at = folder, stored, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._stored.length}[whence]
        self._at = max(0, base + offset)
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        count = max(0, min(len(buffer), self._stored.length - self._at))
        buffer[:count] = self._folder._pread(self._stored.file, self._stored.offset + self._at, count)
        self._at += count
        return count


def _close_all(handles: list[int]) -> None:
    for handle in handles:
        os.close(handle)


def _contents(metadata: Any) -> tuple[dict[str, Tensor], dict[str, Stored]]:
    places: dict[tuple[str, tuple[int, ...] | None], Stored] = {}
    for index, info in metadata["storage_data"].items():
        if info.state.get("transform_descriptors"):
            raise ValueError(f"{index['fqn']} is stored through {info['transform_descriptors']}")
        offset = index.state.get("offset")
        at = None if offset is None else tuple(map(int, offset))
        places[str(index["fqn"]), at] = Stored(str(info["relative_path"]), int(info["offset"]), int(info["length"]))
    tensors: dict[str, Tensor] = {}
    objects: dict[str, Stored] = {}
    for key, entry in metadata["state_dict_metadata"].items():
        if isinstance(entry, DcpTensor):
            tensors[key] = _tensor(key, entry, places)
        elif isinstance(entry, DcpBytes):
            objects[key] = places[key, None]
    return tensors, objects


def _tensor(key: str, entry: DcpTensor, places: Mapping[tuple[str, tuple[int, ...] | None], Stored]) -> Tensor:
    dtype = entry["properties"].state[0]
    if not isinstance(dtype, torch.dtype):
        raise TypeError(f"{key} has no number format")
    chunks = []
    for one in entry["chunks"]:
        box = Box(tuple(map(int, one["offsets"])), tuple(map(int, one["sizes"])))
        chunks.append(Chunk(box, dtype, places[key, box.offsets]))
    return Tensor(tuple(map(int, entry["size"])), tuple(chunks))


def _row_major(sizes: tuple[int, ...]) -> tuple[int, ...]:
    strides = []
    stride = 1
    for size in reversed(sizes):
        strides.append(stride)
        stride *= max(size, 1)
    return tuple(reversed(strides))


def _leading_run(
    index: tuple[slice, ...], sizes: tuple[int, ...]
) -> tuple[int, int, tuple[int, ...], tuple[slice, ...]]:
    """The stretch of a row-major tensor that holds an index: first and last number, shape, and the index into it.

    >>> _leading_run((slice(0, 1), slice(2, 4), slice(0, 3)), (1, 9, 3))
    (6, 12, (1, 2, 3), (slice(0, 1, None), slice(0, 2, None), slice(0, 3, None)))
    """
    strides = _row_major(sizes)
    at = 0
    first = 0
    while at < len(sizes) and index[at].stop - index[at].start == 1:
        first += index[at].start * strides[at]
        at += 1
    ones = (1,) * at
    if at == len(sizes):
        return first, first + 1, ones, (slice(0, 1),) * at
    here = index[at]
    first += here.start * strides[at]
    count = here.stop - here.start
    shape = (*ones, count, *sizes[at + 1 :])
    inner = (*(slice(0, 1),) * at, slice(0, count), *index[at + 1 :])
    return first, first + count * strides[at], shape, inner
