"""What a reader gets and gives: one piece of a source in, batches of documents out."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

from configs.schema.corpus import Limits, Source
from corpus.bad_share import refuse_bad_task
from corpus.batch import BatchBuilder
from corpus.read.budget import Budget
from corpus.read.compressed import BrokenStreamError, compression_of, decompressed
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
    limits: Limits
    tally: Tally
    hashes: dict[str, str] = field(default_factory=dict)
    """SHA-256 of what was read, by piece name; the reader fills it in."""
    member: BinaryIO | None = None
    """What is read instead of the file, where the piece is a member of an archive."""
    budget: Budget | None = None
    """What the archive around it may still unpack."""

    def builder(self) -> BatchBuilder:
        """For the documents of this piece."""
        source = self.source
        declared = {"access": source.access, "retention": source.retention}
        return BatchBuilder(self.piece.source, self.piece.name, source.license, source.language, **declared)

    def put_aside(self, position: int, reason: str, detail: str = "") -> None:
        """Quarantine the file, or the record at `position`.

        Raises:
            UserError: if a task of the run is made of such records.
        """
        self.tally.put_aside(Unreadable(self.piece.source, self.piece.name, position, reason, detail))
        refuse_bad_task(self.piece.source, self.tally, self.limits.max_bad_share)

    def inside(self, name: str, content: BinaryIO, budget: Budget) -> Reading:
        """The reading of a member of this archive; members go by their endings."""
        piece = replace(self.piece, name=f"{self.piece.name}!/{name}", start=0, end=0)
        source = self.source.model_copy(update={"format": "auto"})
        return Reading(piece, source, self.limits, self.tally, {}, content, budget)

    def whole_file(self) -> bytes | None:
        """The bytes of a small file, decompressed; None, and quarantined, if it is too large or cannot be read."""
        limit = self.limits.document_bytes
        size = self.piece.end - self.piece.start
        if size > limit:
            self.put_aside(0, "too_large", f"{size} bytes, corpus.limits.document_bytes is {limit}")
            return None
        try:
            if self.member is not None:
                content = self._bounded(self.member)
            else:
                with open(self.piece.path, "rb") as file:
                    self.hashes[self.piece.name] = hashlib.file_digest(file, "sha256").hexdigest()
                    file.seek(0)
                    content = self._bounded(file)
        except BrokenStreamError as error:
            self.put_aside(0, "truncated", str(error))
            return None
        except OSError as error:
            self.put_aside(0, "unreadable", error.strerror or "")
            return None
        if content is not None and not content:
            self.put_aside(0, "empty")
            return None
        return content

    def _bounded(self, file: BinaryIO) -> bytes | None:
        limit, blocks, length = self.limits.document_bytes, [], 0
        for block in decompressed(file, compression_of(self.piece.name)):
            length += len(block)
            if length > limit:
                self.put_aside(0, "too_large", f"more than {limit} bytes, which corpus.limits.document_bytes is")
                return None
            blocks.append(block)
        return b"".join(blocks)
