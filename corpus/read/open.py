"""Which reader reads a piece."""

from __future__ import annotations

from collections.abc import Iterator

from configs.schema.corpus import Source
from corpus.batch import Batch
from corpus.read.compressed import compression_of, without_compression
from corpus.read.dataset import read_dataset
from corpus.read.html import read_html
from corpus.read.jsonl import read_jsonl
from corpus.read.parquet import read_parquet
from corpus.read.source import Reader, Reading
from corpus.read.txt import read_txt

_READERS: dict[str, Reader] = {"txt": read_txt, "html": read_html, "jsonl": read_jsonl, "parquet": read_parquet}

# Markdown and the like are text as they stand.
_ENDINGS = {
    "txt": "txt",
    "text": "txt",
    "md": "txt",
    "html": "html",
    "htm": "html",
    "xhtml": "html",
    "jsonl": "jsonl",
    "ndjson": "jsonl",
    "parquet": "parquet",
}


def format_of(source: Source, name: str) -> str | None:
    """Format of a file by the run file, or by its ending; None if neither tells.

    >>> format_of(Source(path="x", language="ja"), "mail/2019.jsonl.gz")
    'jsonl'
    """
    if source.format != "auto":
        return source.format
    return _ENDINGS.get(without_compression(name).rsplit(".", 1)[-1].lower())


def read(reading: Reading) -> Iterator[Batch]:
    """The documents of a piece, as batches; what cannot be read goes to the quarantine."""
    if reading.source.dataset is not None:
        yield from read_dataset(reading)
        return
    kind = format_of(reading.source, reading.piece.name)
    if kind is None:
        ending = reading.piece.name.rsplit(".", 1)[-1][:12] if "." in reading.piece.name else "none"
        reading.put_aside(0, "unknown_format", f"ending {ending!r}; set format for this source to read it all the same")
        return
    if compression_of(reading.piece.name) and kind != "jsonl":
        reading.put_aside(0, "unknown_format", "only jsonl is read compressed")
        return
    yield from _READERS[kind](reading)
