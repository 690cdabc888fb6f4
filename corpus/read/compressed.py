"""Decompress in bounded steps, giving everything that stands before a break."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Protocol

import zstandard

# Fed in small bites, so that a bite of highly compressed data cannot become gigabytes at once: deflate expands at
# most about 1,000 times, a zstd frame of 4 kB at most about 128 MB.
_BITE_BYTES = 4096


class BrokenStreamError(Exception):
    """The compressed data ends early or is damaged."""


class Readable(Protocol):
    """A binary file for reading in sequence."""

    def read(self, size: int, /) -> bytes: ...
    def tell(self) -> int: ...


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, /) -> bytes: ...


def compression_of(name: str) -> str | None:
    """The compression a file name tells: gz, zst, or none.

    >>> compression_of("mail/2019.jsonl.gz")
    'gz'
    """
    ending = name.rsplit(".", 1)[-1].lower()
    return {"gz": "gz", "zst": "zst", "zstd": "zst"}.get(ending)


def without_compression(name: str) -> str:
    """The name without the compression's ending."""
    return name.rsplit(".", 1)[0] if compression_of(name) else name


def _new(compression: str) -> _Decompressor:
    if compression == "gz":
        return zlib.decompressobj(wbits=31)
    return zstandard.ZstdDecompressor().decompressobj()


def decompressed(file: Readable, compression: str | None) -> Iterator[bytes]:
    """The content in blocks of any size.

    Raises:
        BrokenStreamError: after everything before the break was given.
    """
    if compression is None:
        while block := file.read(1 << 18):
            yield block
        return
    stream, begun = _new(compression), False
    while bite := file.read(_BITE_BYTES):
        while bite:
            try:
                out = stream.decompress(bite)
            except (zlib.error, zstandard.ZstdError) as error:
                raise BrokenStreamError(f"{compression}: damaged before byte {file.tell()}") from error
            begun = True
            if out:
                yield out
            bite = b""
            if stream.eof:
                # Several compressed streams may stand behind each other in one file.
                bite, stream, begun = stream.unused_data, _new(compression), False
    if begun:
        raise BrokenStreamError(f"{compression}: ends in the middle of its data")
