"""Files as torch.save writes them, streamed: no more than a piece of a tensor is in memory.

torch.save wants every tensor whole. A file is a zip file of uncompressed entries: the pickled object, in which a
tensor names its storage by number, and the bytes of each storage, beginning at a multiple of 64 bytes.

Source: torch.serialization `_save` and caffe2/serialize/inline_container.cc of torch 2.13 (format version 3).
"""

from __future__ import annotations

import io
import pickle
import struct
import sys
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import torch

from pretrain.checkpoint.stream import stream

_ROOT = "archive"
_ALIGNMENT = 64
# Of a zip entry: the fixed part of its header, the extra field with 64-bit sizes, the head of one with padding.
_HEADER, _ZIP64, _PADDING = 30, 20, 4

_STORAGES = {
    torch.float32: torch.FloatStorage,
    torch.bfloat16: torch.BFloat16Storage,
    torch.float16: torch.HalfStorage,
}


@dataclass(eq=False)
class Storage:
    """Numbers that are made when they are written."""

    dtype: torch.dtype
    count: int
    reads: Callable[[], Iterator[Callable[[], torch.Tensor]]]
    """Gives what gives all of them, in order, in pieces of any shape and of this number format."""


@dataclass(eq=False)
class Lazy:
    """Becomes a tensor that is all of a storage; several may share one."""

    storage: Storage
    shape: tuple[int, ...]

    def __post_init__(self) -> None:
        if prod(self.shape) != self.storage.count:
            raise ValueError(f"{self.storage.count} numbers are no tensor of shape {self.shape}")


def write(file: io.RawIOBase, what: Any, foreign: Mapping[type, str], told: Callable[[int], None]) -> None:
    """Write an object of plain values and `Lazy` tensors, from front to back.

    Args:
        foreign: what some classes are called where the file will be read.
        told: is told how many more bytes of tensors are written.
    """
    described = io.BytesIO()
    pickler = _Pickler(described, foreign)
    pickler.dump(what)
    front_to_back = _FrontToBack(file)
    with zipfile.ZipFile(front_to_back, "w") as archive:
        _entry(archive, "data.pkl", described.getvalue())
        _entry(archive, "byteorder", sys.byteorder.encode())
        for number, storage in enumerate(pickler.storages):
            _data(archive, front_to_back.tell(), f"data/{number}", storage, told)
        _entry(archive, "version", b"3\n")


class _Pickler(pickle._Pickler):  # the one written in Python, because the other looks up what it names
    def __init__(self, file: io.BytesIO, foreign: Mapping[type, str]) -> None:
        super().__init__(file, protocol=2)  # torch.save's
        self._file, self._foreign = file, foreign
        self.storages: dict[Storage, int] = {}

    def persistent_id(self, obj: Any) -> Any:
        if not isinstance(obj, Storage):
            return None
        number = self.storages.setdefault(obj, len(self.storages))
        return ("storage", _STORAGES[obj.dtype], str(number), "cpu", obj.count)

    def reducer_override(self, obj: Any) -> Any:
        if not isinstance(obj, Lazy):
            return NotImplemented
        strides = tuple(prod(obj.shape[at + 1 :]) for at in range(len(obj.shape)))
        return torch._utils._rebuild_tensor_v2, (obj.storage, 0, obj.shape, strides, False, OrderedDict())

    def save_global(self, obj: Any, name: str | None = None) -> None:
        if obj in self._foreign:
            module, _, called = self._foreign[obj].rpartition(".")
            self._file.write(pickle.GLOBAL + f"{module}\n{called}\n".encode())
            self.memoize(obj)  # type: ignore[attr-defined]  # typeshed leaves it out
        else:
            super().save_global(obj, name)  # type: ignore[misc]  # likewise


class _FrontToBack(io.RawIOBase):
    """Makes zipfile write sizes and checksums behind the data, as torch does, instead of going back."""

    def __init__(self, file: io.RawIOBase) -> None:
        self._file = file
        self._at = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._file.write(data)
        self._at += len(data)
        return len(data)

    def tell(self) -> int:
        return self._at


def _entry(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    with archive.open(zipfile.ZipInfo(f"{_ROOT}/{name}"), "w") as out:
        out.write(data)


def _data(archive: zipfile.ZipFile, at: int, name: str, storage: Storage, told: Callable[[int], None]) -> None:
    entry = zipfile.ZipInfo(f"{_ROOT}/{name}")
    begin = at + _HEADER + len(entry.filename) + _ZIP64 + _PADDING
    padding = -begin % _ALIGNMENT
    entry.extra = struct.pack("<2sH", b"FB", padding) + b"Z" * padding
    written = 0
    with archive.open(entry, "w", force_zip64=True) as out:
        for piece in stream(storage.reads()):
            out.write(piece)
            written += len(piece)
            told(len(piece))
    if written != storage.count * storage.dtype.itemsize:
        raise ValueError(f"{written} bytes were given for {storage.count} numbers of {storage.dtype}")
