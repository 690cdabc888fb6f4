"""HTML pages, by the encoding that they or their server name."""

from __future__ import annotations

import re

from configs.schema.corpus import Limits
from corpus.decode import decode
from corpus.read.apart import page_text_apart
from corpus.read.page import is_costly, page_text
from corpus.read.registry import Format
from corpus.read.source import Reading
from corpus.read.whole import Extracted, whole

_CHARSET = re.compile(rb"<meta[^>]{0,200}charset\s*=\s*[\"']?\s*([A-Za-z0-9_.:-]{2,40})", re.IGNORECASE)
_CHARSET_WITHIN = 4096


def extract(content: bytes, reading: Reading) -> Extracted:
    """The text of a page."""
    return extract_page(content, None, reading.limits)


def extract_page(content: bytes, served_as: str | None, limits: Limits) -> Extracted:
    """The text of a page.

    Args:
        served_as: encoding that the server named; it goes before the page's own, where it fits.
    Raises:
        UndecodableError: if it is no text.
        UnreadableError: if it is so malformed that it takes too long, or too much memory.
    """
    declared = _CHARSET.search(content[:_CHARSET_WITHIN])
    decoded = decode(content, served_as, declared[1].decode("ascii") if declared else None)
    return Extracted(text_of_page(decoded.text, limits), decoded.encoding)


def text_of_page(html: str, limits: Limits) -> str:
    """The text of a page, read in a process of its own where it may be too much for this one.

    Raises:
        UnreadableError: as `extract_page`.
    """
    return page_text_apart(html, limits) if is_costly(html) else page_text(html)


FORMAT = Format("html", ("html", "htm", "xhtml"), whole(extract))
