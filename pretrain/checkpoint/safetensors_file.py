"""Boxes out of a safetensors file, read where they are wanted and nowhere else.

The safetensors library maps the whole file into memory, whose pages then count as the process's own; here the bytes
of a box are read into the tensor that is given back, so that memory is what is held. Threads may read at once.

Source of the format: https://huggingface.co/docs/safetensors.
"""

from __future__ import annotations

import json
import math
import os
import struct
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from configs.errors import UserError, from_os_error
from pretrain.checkpoint.boxes import Box

CODES = {torch.float32: "F32", torch.bfloat16: "BF16", torch.float16: "F16"}
"""The format's names of the number formats that are read and written here."""
_DTYPES = {code: dtype for dtype, code in CODES.items()}
_METADATA = "__metadata__"
_HEADER_LIMIT = 100_000_000  # the library's own
_ROWS_BYTES = 1 << 22
_AHEAD_BYTES = 1 << 22
"""What the kernel is told to read while a piece of at most so many bytes is worked on: files that were not in the
page cache took 1.9 to 4.1 s per GB to read and hash, for 3.7 to 7.4 s (a busy machine)."""


def header(tensors: Sequence[tuple[str, torch.dtype, Sequence[int]]], metadata: dict[str, str] | None = None) -> bytes:
    """What a file of these tensors, in this order, begins with; the same bytes as the library writes."""
    described: dict[str, Any] = {} if metadata is None else {_METADATA: metadata}
    position = 0
    for name, dtype, shape in tensors:
        end = position + math.prod(shape) * dtype.itemsize
        described[name] = {"dtype": CODES[dtype], "shape": list(shape), "data_offsets": [position, end]}
        position = end
    text = json.dumps(described, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)  # the format aligns the data to eight bytes
    return struct.pack("<Q", len(text)) + text


class SafetensorsFile:
    """A file opened for reading.

    Raises:
        UserError: if it cannot be read, or is no whole safetensors file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._handle = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            raise UserError(f"{path}: missing") from None
        except OSError as error:
            raise from_os_error(error) or error from error
        self.close = weakref.finalize(self, os.close, self._handle)
        self._described, self._data = self._read_header()

    def _read_header(self) -> tuple[dict[str, Any], int]:
        size = os.fstat(self._handle).st_size
        [length] = struct.unpack("<Q", os.pread(self._handle, 8, 0).ljust(8, b"\xff"))
        if length > min(_HEADER_LIMIT, size):
            raise UserError(f"{self._path}: damaged, or no safetensors file; copy or download it again")
        try:
            described = json.loads(os.pread(self._handle, length, 8))
            described.pop(_METADATA, None)
            end = max((one["data_offsets"][1] for one in described.values()), default=0)
            whole = all(_is_whole(one) for one in described.values())
        except (ValueError, KeyError, TypeError, AttributeError, IndexError):
            whole = False
        if not whole:
            raise UserError(f"{self._path}: damaged, its header makes no sense; copy or download it again")
        if 8 + length + end != size:
            raise UserError(
                f"{self._path}: {size:,} bytes, its header says {8 + length + end:,}; it is not whole, copy or "
                "download it again"
            )
        return described, 8 + length

    @property
    def names(self) -> list[str]:
        """Names of its tensors."""
        return list(self._described)

    def shape(self, name: str) -> tuple[int, ...]:
        """Shape of a tensor."""
        return tuple(self._described[name]["shape"])

    def dtype(self, name: str) -> torch.dtype:
        """Number format of a tensor.

        Raises:
            UserError: if it is none that is read here.
        """
        code = self._described[name]["dtype"]
        if code not in _DTYPES:
            raise UserError(
                f"{self._path}: {name} is stored as {code}; only {', '.join(_DTYPES)} are read. Take the folder that "
                "it was quantized from"
            )
        return _DTYPES[code]

    def read(self, name: str, box: Box) -> torch.Tensor:
        """Values of a box, as they are stored.

        Raises:
            UserError: if the device fails, or the file was cut off meanwhile.
        """
        shape, dtype = self.shape(name), self.dtype(name)
        out = torch.empty(box.sizes, dtype=dtype)
        if not out.numel():
            return out
        begin = self._data + int(self._described[name]["data_offsets"][0])
        row_bytes = math.prod(shape[1:]) * dtype.itemsize
        first = begin + (box.offsets[0] * row_bytes if shape else 0)
        if box.sizes[1:] == shape[1:]:
            self._fill(out, first)
            self._read_ahead(first + out.nbytes, out.nbytes, begin + shape[0] * row_bytes if shape else 0)
            return out
        columns = Box(box.offsets[1:], box.sizes[1:]).slices
        some = max(1, _ROWS_BYTES // row_bytes)
        for row in range(0, box.sizes[0], some):
            rows = torch.empty((min(some, box.sizes[0] - row), *shape[1:]), dtype=dtype)
            self._fill(rows, first + row * row_bytes)
            out[row : row + some] = rows[(slice(None), *columns)]
        return out

    def _read_ahead(self, position: int, count: int, end: int) -> None:
        """Who reads a tensor piece by piece will want another `count` bytes soon, up to its end."""
        begin = position + _AHEAD_BYTES - count
        if count <= _AHEAD_BYTES and begin < end:
            os.posix_fadvise(self._handle, begin, min(count, end - begin), os.POSIX_FADV_WILLNEED)

    def _fill(self, tensor: torch.Tensor, position: int) -> None:
        into = tensor.reshape(-1).view(torch.uint8).numpy().data
        try:
            while into:
                count = os.preadv(self._handle, [into], position)
                if not count:
                    raise UserError(f"{self._path}: ends in the middle of a tensor; it was changed while it was read")
                into, position = into[count:], position + count
        except OSError as error:
            raise from_os_error(OSError(error.errno, error.strerror, str(self._path))) or error from error


def _is_whole(described: dict[str, Any]) -> bool:
    """Whether the bytes of a tensor are as many as its shape says; only of formats that are read here."""
    begin, end = described["data_offsets"]
    dtype = _DTYPES.get(described["dtype"])
    return begin >= 0 and (dtype is None or end - begin == math.prod(described["shape"]) * dtype.itemsize)
