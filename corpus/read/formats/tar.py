"""Tar archives, plain or compressed, read in one go from their beginning."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

from corpus.batch import Batch
from corpus.read.archive import Member, Stream, budget_of, decoded_name, put_aside_rest, read_members
from corpus.read.budget import Budget, BudgetError
from corpus.read.compressed import BrokenStreamError, Readable, compression_of, decompressed
from corpus.read.registry import Format
from corpus.read.source import Reading

FAILURES = (tarfile.TarError, OSError, EOFError, ValueError, OverflowError)
_MAX_HEADER_BYTES = 1 << 20
"""Of a member's long name and attributes, which `tarfile` holds in memory."""
_HEADERS = (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK)


class _Info(tarfile.TarInfo):
    """A header that is checked; tarfile itself takes a damaged one for the end of the archive."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _Info:
        try:
            info = super().frombuf(buf, encoding, errors)
        except (tarfile.EOFHeaderError, tarfile.EmptyHeaderError):  # type: ignore[attr-defined]  # typeshed has not all
            raise
        except tarfile.HeaderError as error:
            raise BrokenStreamError(f"tar: a damaged header: {type(error).__name__}") from error
        if info.type in _HEADERS and info.size > _MAX_HEADER_BYTES:
            raise BrokenStreamError(f"tar: a header of {info.size} bytes, the limit is {_MAX_HEADER_BYTES}")
        return info


class _Unpacked:
    """The tar stream, decompressed, and counted on the way: members that are passed over are unpacked too."""

    def __init__(self, file: Readable, compression: str | None, budget: Budget) -> None:
        self._blocks, self._budget, self._rest = decompressed(file, compression), budget, b""

    def read(self, size: int) -> bytes:
        while not self._rest:
            block = next(self._blocks, b"")
            if not block:
                return b""
            self._budget.take(len(block))
            self._rest = block
        given, self._rest = self._rest[:size], self._rest[size:]
        return given


class _Hashed:
    def __init__(self, file: Readable) -> None:
        self._file, self.sha256 = file, sha256()

    def read(self, size: int) -> bytes:
        block = self._file.read(size)
        self.sha256.update(block)
        return block

    def tell(self) -> int:
        return self._file.tell()


def read_tar(reading: Reading) -> Iterator[Batch]:
    """The documents of the members."""
    if reading.member is not None:
        yield from _documents(reading, reading.member, 0)
        return
    try:
        with open(reading.piece.path, "rb") as opened:
            file = _Hashed(opened)
            yield from _documents(reading, file, reading.piece.end - reading.piece.start)
            while file.read(1 << 20):  # what follows a break belongs to the hash too
                pass
            reading.hashes[reading.piece.name] = file.sha256.hexdigest()
    except OSError as error:
        reading.put_aside(0, "unreadable", error.strerror or "")


def _documents(reading: Reading, file: Readable, size: int) -> Iterator[Batch]:
    try:
        with budget_of(reading, size) as budget:
            stream = _Unpacked(file, compression_of(reading.piece.name), budget)
            try:
                archive = tarfile.open(  # type: ignore[call-overload]  # noqa: SIM115  # reads, no more; closed below
                    fileobj=stream,
                    mode="r|",
                    tarinfo=_Info,
                    encoding="utf-8",
                    errors="surrogateescape",
                )
            except FAILURES as error:
                reading.put_aside(0, "damaged", type(error).__name__)
                return
            with archive:
                yield from read_members(reading, _members(reading, archive), budget, FAILURES, counted=True)
    except (BudgetError, BrokenStreamError) as error:
        put_aside_rest(reading, error)


def _members(reading: Reading, archive: tarfile.TarFile) -> Iterator[Member]:
    while True:
        try:
            info = archive.next()
        except FAILURES as error:
            reading.put_aside(0, "damaged", f"{type(error).__name__} in the middle of the archive")
            return
        # It remembers every member, however many there are.
        archive.members = []  # type: ignore[attr-defined]
        if info is None:
            return
        if info.isdir():
            continue
        name = decoded_name(info.name.encode("utf-8", "surrogateescape"))
        if not info.isreg() or info.issparse():
            reading.put_aside(info.offset, "no_file", "a link, device or sparse file in the archive")
            continue
        yield Member(name, info.offset, lambda info=info: _opened(archive, info))  # type: ignore[misc]


def _opened(archive: tarfile.TarFile, info: tarfile.TarInfo) -> Stream:
    opened: Any = archive.extractfile(info)
    return opened  # type: ignore[no-any-return]


FORMAT = Format("tar", ("tar",), read_tar)
