"""Decompress in bounded steps, giving everything that stands before a break."""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Iterator
from typing import Protocol

import zstandard

# Fed in small bites, so that a bite of highly compressed data cannot become gigabytes at once: deflate expands at
# most about 1,000 times, xz 7,000 times, a zstd frame or bzip2 blocks of 4 kB at most about 128 MB.
_BITE_BYTES = 4096
# What the presets of xz need is 65 MiB at most; a header may ask for 4 GiB.
_XZ_MEMORY_BYTES = 256 << 20


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


# The compression of an ending, and the ending that is left of it.
_ENDINGS = {
    "gz": ("gz", ""),
    "zst": ("zst", ""),
    "zstd": ("zst", ""),
    "xz": ("xz", ""),
    "bz2": ("bz2", ""),
    "tgz": ("gz", ".tar"),
    "txz": ("xz", ".tar"),
    "tbz2": ("bz2", ".tar"),
    "tzst": ("zst", ".tar"),
}
_DAMAGE = (zlib.error, zstandard.ZstdError, lzma.LZMAError, OSError, EOFError, ValueError)  # OSError: bz2


def compression_of(name: str) -> str | None:
    """The compression a file name tells: gz, zst, xz, bz2, or none.

    >>> compression_of("mail/2019.jsonl.gz")
    'gz'
    """
    return _ENDINGS.get(name.rsplit(".", 1)[-1].lower(), (None, ""))[0]


def without_compression(name: str) -> str:
    """The name without the compression's ending.

    >>> without_compression("mail/2019.tgz")
    'mail/2019.tar'
    """
    base, dot, ending = name.rpartition(".")
    compression, left = _ENDINGS.get(ending.lower(), (None, ""))
    return base + left if dot and compression else name


def _new(compression: str) -> _Decompressor:
    if compression == "gz":
        return zlib.decompressobj(wbits=31)
    if compression == "xz":
        return lzma.LZMADecompressor(lzma.FORMAT_XZ, _XZ_MEMORY_BYTES)
    if compression == "bz2":
        return bz2.BZ2Decompressor()
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
            except _DAMAGE as error:
                raise BrokenStreamError(f"{compression}: damaged before byte {file.tell()}") from error
            begun = True
            if out:
                yield out
            bite = b""
            if stream.eof:
                # Several compressed streams may stand behind each other in one file.
                bite, stream, begun = stream.unused_data, _new(compression), False
                if compression == "xz":
                    bite = bite.lstrip(b"\0")  # streams are padded to four bytes
    if begun:
        raise BrokenStreamError(f"{compression}: ends in the middle of its data")
