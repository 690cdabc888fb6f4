"""Plain text and Markdown: a file is a document, as it stands."""

from __future__ import annotations

from corpus.decode import decode
from corpus.read.registry import Format
from corpus.read.source import Reading
from corpus.read.whole import Extracted, whole


def extract(content: bytes, reading: Reading) -> Extracted:
    """The decoded text."""
    decoded = decode(content)
    return Extracted(decoded.text, decoded.encoding)


# The later ones are how old Japanese distributions name the encodings of one text.
FORMAT = Format(
    "txt", ("txt", "text", "md", "markdown", "log", "euc", "sjis", "jis", "utf8", "utf-8", "jp", "ja"), whole(extract)
)
