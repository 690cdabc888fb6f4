"""What a reader gets and gives: one piece of a source in, batches of documents out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from configs.schema.corpus import Source
from corpus.batch import Batch, BatchBuilder
from corpus.tally import Tally, Unreadable


@dataclass(frozen=True)
class Piece:
    """A file, or the part of a large one whose records begin in [start, end)."""

    source: str
    name: str
    """Path below the source's folder: part of every document id."""
    path: Path
    start: int
    end: int


@dataclass(frozen=True)
class Reading:
    """Everything a reader needs."""

    piece: Piece
    source: Source
    document_bytes: int
    """A larger document is put aside."""
    tally: Tally
    hashes: dict[str, str]
    """SHA-256 of what was read, by piece name; the reader fills it in."""

    def builder(self) -> BatchBuilder:
        """For the documents of this piece."""
        return BatchBuilder(self.piece.source, self.piece.name, self.source.license, self.source.language)

    def put_aside(self, position: int, reason: str, detail: str = "") -> None:
        """Quarantine the file, or the record at `position`."""
        self.tally.put_aside(Unreadable(self.piece.source, self.piece.name, position, reason, detail))

    def whole_file(self) -> bytes | None:
        """The bytes of a small file; None, and quarantined, if it is too large or cannot be read."""
        size = self.piece.end - self.piece.start
        if size > self.document_bytes:
            self.put_aside(0, "too_large", f"{size} bytes, corpus.limits.document_bytes is {self.document_bytes}")
            return None
        try:
            content = self.piece.path.read_bytes()
        except OSError as error:
            self.put_aside(0, "unreadable", error.strerror or "")
            return None
        self.hashes[self.piece.name] = hashlib.sha256(content).hexdigest()
        if not content:
            self.put_aside(0, "empty")
            return None
        return content


Reader = Callable[[Reading], Iterator[Batch]]
