"""Web archives: the pages of WARC files, and the texts of WET files."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from fastwarc.warc import ArchiveIterator, WarcRecord, WarcRecordType

from configs.atomic_file import sha256_of
from corpus.batch import Batch, BatchBuilder
from corpus.decode import decode
from corpus.read.compressed import BrokenStreamError, compression_of, decompressed
from corpus.read.formats import pdf
from corpus.read.formats.html import extract_page
from corpus.read.registry import Format
from corpus.read.source import Reading
from corpus.read.whole import Extract, Extracted, UnreadableError, attempt

# Requests, revisits and what the crawler writes of itself are no documents.
_DOCUMENTS = int(WarcRecordType.response) | int(WarcRecordType.resource) | int(WarcRecordType.conversion)
_MAX_HEADER_BYTES = 1 << 20
_PAGES = ("text/html", "application/xhtml+xml")
_SEARCH_BYTES = 1 << 20


def read_warc(reading: Reading) -> Iterator[Batch]:
    """A document per response, resource or conversion; positions are those of the record in the file.

    A damaged record is quarantined, and reading goes on where the next one begins.
    """
    builder = reading.builder()
    try:
        if reading.member is not None:
            content = reading.whole_file()
            if content is not None:
                yield from _records(reading, builder, io.BytesIO(content))
        else:
            reading.hashes[reading.piece.name] = sha256_of(reading.piece.path)
            with open(reading.piece.path, "rb") as file:
                yield from _records(reading, builder, file)
    except OSError as error:
        reading.put_aside(0, "unreadable", error.strerror or "")
    if (batch := builder.take()) is not None:
        yield batch


def _records(reading: Reading, builder: BatchBuilder, file: BinaryIO) -> Iterator[Batch]:
    mark = b"\x1f\x8b\x08" if compression_of(reading.piece.name) == "gz" else b"WARC/1."
    start: int | None = 0
    if not file.read(1):
        reading.put_aside(0, "empty")
        return
    last = -1
    while start is not None:
        last = max(last, start - 1)
        file.seek(start)
        # auto_decode stays off: with it, 2.0.1 ends without an error behind the first body that is chunked and packed.
        records = ArchiveIterator(
            _From(file, start), record_types=WarcRecordType.any_type, parse_http=True, max_header_len=_MAX_HEADER_BYTES
        )
        try:
            for record in records:
                # Several records in one gzip stream have the position of it: ids need one each.
                last = max(start + record.stream_pos, last + 1)
                if int(record.record_type) & _DOCUMENTS:
                    _add(reading, builder, record, last)
                if builder.full and (batch := builder.take()) is not None:
                    yield batch
            return
        except (OSError, ValueError) as error:
            if isinstance(error, OSError) and error.errno:
                raise
            reading.put_aside(max(last, start), "damaged", "this record, or the one that follows it")
        start = _next(file, mark, max(last, start) + 1)


class _From(io.RawIOBase):
    """A file from some position on; the iterator counts from 0."""

    def __init__(self, file: BinaryIO, start: int) -> None:
        self._file, self._start = file, start
        file.seek(start)

    def read(self, size: int = -1) -> bytes:
        return self._file.read(size)

    def tell(self) -> int:
        return self._file.tell() - self._start


def _next(file: BinaryIO, mark: bytes, at: int) -> int | None:
    """Where the next record may begin."""
    file.seek(at)
    kept = b""
    while block := file.read(_SEARCH_BYTES):
        found = (kept + block).find(mark)
        if found >= 0:
            return at - len(kept) + found
        at += len(block)
        kept = (kept + block)[-len(mark) + 1 :]
    return None


def _add(reading: Reading, builder: BatchBuilder, record: WarcRecord, position: int) -> None:
    limit, length = reading.limits.document_bytes, record.content_length
    if length > limit:
        reading.put_aside(position, "too_large", f"a record of {length} bytes, corpus.limits.document_bytes is {limit}")
        return
    headers = record.http_headers
    if headers is not None and headers.status_code not in (200, None):
        reading.put_aside(position, "no_page", f"status {headers.status_code}")
        return
    extract = _extractor(record)
    if extract is None:
        reading.put_aside(position, "unknown_format", f"content type {_type_of(record)[:60]!r}")
        return
    body = record.reader.read(limit)
    if len(body) < length:
        reading.put_aside(position, "truncated", f"{len(body)} of {length} bytes")
        return
    found = attempt(lambda content, _: extract(_unpacked(content, record, limit), reading), body, reading, position)
    if found is None:
        return
    url = record.headers.get("WARC-Target-URI")
    builder.add(found.text, position, found.encoding, url=_clean(url) if url else None)


def _clean(url: str) -> str:
    # Some writers put it in angle brackets; bytes that are no UTF-8 come as half characters.
    return url.strip("<>").encode("utf-8", "backslashreplace").decode()


def _type_of(record: WarcRecord) -> str:
    declared = record.http_content_type or record.headers.get("Content-Type") or ""
    return declared.partition(";")[0].strip().lower()


def _extractor(record: WarcRecord) -> Extract | None:
    kind = _type_of(record)
    charset = record.http_charset
    if kind in _PAGES:
        return lambda content, reading: extract_page(content, charset, reading.limits)
    if kind == "text/plain":
        return lambda content, _: _plain(content, charset)
    if kind == "application/pdf":
        return pdf.extract
    return None


def _plain(content: bytes, charset: str | None) -> Extracted:
    decoded = decode(content, charset)
    return Extracted(decoded.text, decoded.encoding)


def _unpacked(body: bytes, record: WarcRecord, limit: int) -> bytes:
    """The body without the encodings of its transfer; crawlers often have removed them and kept the header."""
    headers = record.http_headers
    if headers is None:
        return body
    if "chunked" in (headers.get("Transfer-Encoding") or "").lower():
        body = _joined(body)
    encoding = (headers.get("Content-Encoding") or "").strip().lower()
    if encoding in ("gzip", "x-gzip") and body.startswith(b"\x1f\x8b"):
        return _bounded(decompressed(io.BytesIO(body), "gz"), limit)
    if encoding == "zstd" and body.startswith(b"\x28\xb5\x2f\xfd"):
        return _bounded(decompressed(io.BytesIO(body), "zst"), limit)
    if encoding == "deflate":
        for window in (zlib.MAX_WBITS, -zlib.MAX_WBITS):
            try:
                return zlib.decompressobj(window).decompress(body, limit)
            except zlib.error:
                continue
    if encoding == "br":
        raise UnreadableError("unsupported", "a body packed by brotli")
    return body


def _bounded(blocks: Iterator[bytes], limit: int) -> bytes:
    out, length = [], 0
    try:
        for block in blocks:
            out.append(block)
            length += len(block)
            if length > limit:
                raise UnreadableError("too_large", f"a body of more than {limit} bytes")
    except BrokenStreamError as error:
        raise UnreadableError("truncated", str(error)) from None
    return b"".join(out)


def _joined(body: bytes) -> bytes:
    """A chunked body; as it is, where a crawler has joined it already."""
    out: list[bytes] = []
    at = 0
    while True:
        end = body.find(b"\r\n", at, at + 40)
        size = body[at:end].partition(b";")[0].strip() if end >= 0 else b""
        if not size or any(digit not in b"0123456789abcdefABCDEF" for digit in size):
            return body if not out else b"".join(out)
        length = int(size, 16)
        if length == 0:
            return b"".join(out)
        out.append(body[end + 2 : end + 2 + length])
        at = end + 2 + length + 2


FORMAT = Format("warc", ("warc", "wet"), read_warc)
