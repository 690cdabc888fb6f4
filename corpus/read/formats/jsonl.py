"""JSON lines, plain or compressed: a record is a document."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import BinaryIO

from corpus.batch import Batch, BatchBuilder
from corpus.decode import UndecodableError, decode
from corpus.read.compressed import BrokenStreamError, Readable, compression_of, decompressed
from corpus.read.records import add_mapping
from corpus.read.registry import Format
from corpus.read.source import Reading


class _HashedPiece:
    """The bytes [start, end) of a file, hashed as they are read."""

    def __init__(self, file: BinaryIO, start: int, end: int) -> None:
        file.seek(start)
        self._file, self._left = file, end - start
        self.sha256 = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        block = self._file.read(self._left if size < 0 else min(self._left, size))
        self._left -= len(block)
        self.sha256.update(block)
        return block

    def tell(self) -> int:
        return self._file.tell()


def read_jsonl(reading: Reading) -> Iterator[Batch]:
    """A document per record.

    A damaged record is quarantined with its position and the next one read; a compressed file that breaks off
    gives what comes before the break. Positions are byte offsets in the decompressed stream.
    """
    piece = reading.piece
    builder = reading.builder()
    if reading.member is not None:
        yield from _documents(reading, builder, reading.member)
        return
    try:
        with open(piece.path, "rb") as file:
            raw = _HashedPiece(file, piece.start, piece.end)
            yield from _documents(reading, builder, raw)
            while raw.read(1 << 20):  # what follows a break belongs to the hash too
                pass
            reading.hashes[piece.name] = raw.sha256.hexdigest()
    except OSError as error:
        reading.put_aside(piece.start, "unreadable", error.strerror or "")
        if (batch := builder.take()) is not None:
            yield batch


def _documents(reading: Reading, builder: BatchBuilder, raw: Readable) -> Iterator[Batch]:
    for position, line in _lines(reading, raw):
        _add_record(reading, builder, position, line)
        if builder.full and (batch := builder.take()) is not None:
            yield batch
    if (batch := builder.take()) is not None:
        yield batch


def _lines(reading: Reading, raw: Readable) -> Iterator[tuple[int, bytes]]:
    """Lines with their positions; memory stays bounded whatever the length of a line."""
    limit = reading.limits.document_bytes
    position, rest, length = reading.piece.start, [b""], 0
    try:
        for block in decompressed(raw, compression_of(reading.piece.name)):
            start = 0
            while (newline := block.find(b"\n", start)) >= 0:
                length += newline - start
                if length <= limit:
                    yield position, b"".join([*rest, block[start:newline]])
                else:
                    reading.put_aside(position, "too_large", f"a record of {length} bytes, the limit is {limit}")
                position += length + 1
                rest, length, start = [], 0, newline + 1
            length += len(block) - start
            # Beyond the limit only the length is kept.
            rest = [*rest, block[start:]] if length <= limit else []
    except BrokenStreamError as error:
        # The last line is a piece of a record: it is not a record that is damaged, but the file.
        reading.put_aside(position, "truncated", str(error))
        return
    if length > limit:
        reading.put_aside(position, "too_large", f"a record of {length} bytes, the limit is {limit}")
    elif length:
        yield position, b"".join(rest)
    if position == 0 and length == 0:
        reading.put_aside(0, "empty")


def _add_record(reading: Reading, builder: BatchBuilder, position: int, line: bytes) -> None:
    if not line.strip():
        return
    try:
        decoded = decode(line)
        record = json.loads(decoded.text)
    except UndecodableError as error:
        reading.put_aside(position, error.reason, error.detail)
        return
    except (ValueError, RecursionError):  # ValueError: also a number of more than 4,300 digits
        reading.put_aside(position, "not_json", f"a record of {len(line)} bytes")
        return
    add_mapping(reading, builder, position, record, decoded.encoding)


FORMAT = Format("jsonl", ("jsonl", "ndjson"), read_jsonl)
