"""Which reader reads a piece."""

from __future__ import annotations

from collections.abc import Iterator

from configs.schema.corpus import Source
from corpus.batch import Batch
from corpus.read.compressed import compression_of, without_compression
from corpus.read.dataset import read_dataset
from corpus.read.registry import by_ending, formats
from corpus.read.source import Reading


def format_of(source: Source, name: str) -> str | None:
    """Format of a file by the run file, or by its ending; None if neither tells.

    >>> format_of(Source(path="x", language="ja"), "mail/2019.jsonl.gz")
    'jsonl'
    """
    if source.format != "auto":
        return source.format
    found = by_ending().get(without_compression(name).rsplit(".", 1)[-1].lower())
    return found.name if found else None


def read(reading: Reading) -> Iterator[Batch]:
    """The documents of a piece, as batches; what cannot be read goes to the quarantine."""
    if reading.source.dataset is not None:
        yield from read_dataset(reading)
        return
    name = reading.piece.name
    kind = format_of(reading.source, name)
    if kind is None:
        last = without_compression(name).rsplit("/", 1)[-1]
        ending = last.rsplit(".", 1)[-1][:12] if "." in last else "none"
        reading.put_aside(0, "unknown_format", f"ending {ending!r}; set format for this source to read it all the same")
        return
    if compression_of(name) and not formats()[kind].compressed:
        reading.put_aside(0, "unknown_format", f"{kind} is not read compressed")
        return
    given, aside = 0, len(reading.tally.quarantine)
    for batch in formats()[kind].read(reading):
        given += batch.num_rows
        yield batch
    # A later part of a large file may well have nothing but what the part before it has begun.
    if given == 0 and reading.piece.start == 0 and len(reading.tally.quarantine) == aside and _ends_here(reading):
        reading.put_aside(0, "empty", f"{kind} without a document")


def _ends_here(reading: Reading) -> bool:
    """Whether nothing but blanks follows in the file."""
    if reading.member is not None:
        return True
    with open(reading.piece.path, "rb") as file:
        file.seek(reading.piece.end)
        return not any(block.strip() for block in iter(lambda: file.read(1 << 20), b""))
