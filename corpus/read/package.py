"""Office documents are zip files of XML parts: opened within bounds, read part by part."""

from __future__ import annotations

import io
import posixpath
import zipfile
from collections.abc import Iterator

from corpus.read.formats.zip import FAILURES, directory_bytes
from corpus.read.source import Reading
from corpus.read.whole import UnreadableError

_BLOCK = 1 << 16
_MAX_PARTS = 50_000
_MAX_GROWTH = 5
"""Unpacked, a document may be so many times corpus.limits.document_bytes: markup is most of it."""


class Package:
    """The parts of a document by their names.

    Raises:
        UnreadableError: if it is no zip file, encrypted, or larger than it may be when unpacked.
    """

    def __init__(self, content: bytes, reading: Reading) -> None:
        file = io.BytesIO(content)
        if content.startswith(b"\xd0\xcf\x11\xe0"):
            raise UnreadableError(
                "encrypted", "a document that opens with a password only, or of the format before XML"
            )
        if directory_bytes(file) > _MAX_PARTS * 512:
            raise UnreadableError("too_large", f"more than {_MAX_PARTS} parts")
        try:
            self._zip = zipfile.ZipFile(file)
        except FAILURES as error:
            raise UnreadableError("damaged", type(error).__name__) from None
        limit = _MAX_GROWTH * reading.limits.document_bytes
        size = sum(info.file_size for info in self._zip.infolist())
        if size > limit:
            raise UnreadableError("too_large", f"{size} bytes unpacked, the limit is {limit}")

    def names(self) -> list[str]:
        """Of all parts."""
        return self._zip.namelist()

    def blocks(self, name: str) -> Iterator[bytes]:
        """The bytes of a part.

        Raises:
            UnreadableError: if there is no such part, or it is damaged.
        """
        try:
            with self._zip.open(name) as part:
                while block := part.read(_BLOCK):
                    yield block
        except KeyError:
            raise UnreadableError("damaged", f"no part of the kind {posixpath.splitext(name)[1] or 'none'!r}") from None
        except FAILURES as error:
            raise UnreadableError("damaged", f"a part: {type(error).__name__}") from None

    def read(self, name: str) -> bytes:
        """A part as a whole; the same errors."""
        return b"".join(self.blocks(name))


def beside(part: str, target: str) -> str:
    """The name of the part that another one refers to.

    >>> beside("ppt/slides/slide1.xml", "../notesSlides/notesSlide1.xml")
    'ppt/notesSlides/notesSlide1.xml'
    """
    if target.startswith("/"):
        return target[1:]
    return posixpath.normpath(posixpath.join(posixpath.dirname(part), target))
