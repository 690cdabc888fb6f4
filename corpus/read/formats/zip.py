"""Zip archives."""

from __future__ import annotations

import hashlib
import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from corpus.batch import Batch
from corpus.read.archive import Member, budget_of, decoded_name, put_aside_rest, read_members
from corpus.read.budget import BudgetError
from corpus.read.registry import Format
from corpus.read.source import Reading

_UTF8_NAME, _ENCRYPTED = 0x800, 0x1
# RuntimeError and NotImplementedError: encrypted, or packed in a way that zipfile does not know.
FAILURES = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, RuntimeError, ValueError, struct.error,
    OverflowError,
)  # fmt: skip
_BYTES_PER_ENTRY = 512
"""Of the directory: an entry has 46 bytes and its name."""


def read_zip(reading: Reading) -> Iterator[Batch]:
    """The documents of the members."""
    if reading.member is not None:
        content = reading.whole_file()
        if content is not None:
            yield from _documents(reading, io.BytesIO(content), len(content))
        return
    try:
        file = open(reading.piece.path, "rb")  # noqa: SIM115  # closed below; this catches the opening alone
    except OSError as error:
        reading.put_aside(0, "unreadable", error.strerror or "")
        return
    with file:
        reading.hashes[reading.piece.name] = hashlib.file_digest(file, "sha256").hexdigest()
        yield from _documents(reading, file, reading.piece.end - reading.piece.start)


def _documents(reading: Reading, file: BinaryIO, size: int) -> Iterator[Batch]:
    try:
        with budget_of(reading, size) as budget:
            entries = directory_bytes(file) // _BYTES_PER_ENTRY
            if entries > budget.members_left:
                raise BudgetError(f"more members than corpus.limits.archive_members, {budget.limits.archive_members}")
            try:
                archive = zipfile.ZipFile(file)
            except FAILURES as error:
                reading.put_aside(0, "empty" if size == 0 else "damaged", type(error).__name__)
                return
            with archive:
                yield from read_members(reading, _members(reading, archive), budget, FAILURES)
    except BudgetError as error:
        put_aside_rest(reading, error)


def _members(reading: Reading, archive: zipfile.ZipFile) -> Iterator[Member]:
    for info in archive.infolist():
        raw = info.filename if info.flag_bits & _UTF8_NAME else decoded_name(_name_bytes(info))
        if info.is_dir() or raw.endswith("\\"):
            continue
        if info.flag_bits & _ENCRYPTED:
            reading.put_aside(info.header_offset, "encrypted", "a member that opens with a password only")
            continue
        yield Member(raw, info.header_offset, lambda info=info: archive.open(info))  # type: ignore[misc]


def _name_bytes(info: zipfile.ZipInfo) -> bytes:
    try:
        return info.filename.encode("cp437")
    except UnicodeEncodeError:
        return info.filename.encode("utf-8", "surrogatepass")


def directory_bytes(file: BinaryIO) -> int:
    """Bytes of the directory at the end, as the archive says itself: `zipfile` holds all of it in memory."""
    end = file.seek(0, 2)
    start = max(0, end - 65_557)
    file.seek(start)
    tail = file.read()
    at = tail.rfind(b"PK\5\6")
    if at < 0 or len(tail) < at + 22:
        return 0
    size = int(struct.unpack_from("<L", tail, at + 12)[0])
    locator = tail[at - 20 : at] if at >= 20 else b""
    if size == 0xFFFFFFFF and locator[:4] == b"PK\6\7":
        file.seek(min(int(struct.unpack_from("<Q", locator, 8)[0]), end))
        record = file.read(56)
        return int(struct.unpack_from("<Q", record, 40)[0]) if len(record) == 56 else 0
    return min(size, end)


FORMAT = Format("zip", ("zip",), read_zip, compressed=False)
