"""Plain text: a file is a document."""

from __future__ import annotations

from collections.abc import Iterator

from corpus.batch import Batch
from corpus.decode import UndecodableError, decode
from corpus.read.source import Reading


def read_txt(reading: Reading) -> Iterator[Batch]:
    """One document, or none and an entry in the quarantine."""
    content = reading.whole_file()
    if content is None:
        return
    try:
        decoded = decode(content)
    except UndecodableError as error:
        reading.put_aside(0, error.reason, error.detail)
        return
    builder = reading.builder()
    builder.add(decoded.text, 0, decoded.encoding)
    batch = builder.take()
    assert batch is not None
    yield batch
