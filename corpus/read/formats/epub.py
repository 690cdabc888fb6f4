"""EPUB books: the chapters in reading order, each read as a page is."""

from __future__ import annotations

from urllib.parse import unquote

from corpus.read.formats.html import extract_page
from corpus.read.markup import attributes_of
from corpus.read.package import Package, beside
from corpus.read.registry import Format
from corpus.read.source import Reading
from corpus.read.whole import Extracted, UnreadableError, whole

_CONTAINER = "META-INF/container.xml"
_PAGES = ("application/xhtml+xml", "text/html")


def extract(content: bytes, reading: Reading) -> Extracted:
    """The text of the book as one document; its table of contents is left out."""
    package, limit = Package(content, reading), reading.limits.document_bytes
    if "META-INF/encryption.xml" in package.names():
        raise UnreadableError("encrypted", "the book has parts that are encrypted")
    roots = [one.get("full-path", "") for one in attributes_of(package.blocks(_CONTAINER), "rootfile")]
    if not roots:
        raise UnreadableError("damaged", "its container names no book")
    items = {one.get("id"): one for one in attributes_of(package.blocks(roots[0]), "item")}
    chapters, length = [], 0
    for reference in attributes_of(package.blocks(roots[0]), "itemref"):
        item = items.get(reference.get("idref"), {})
        if item.get("media-type") not in _PAGES or "nav" in item.get("properties", "").split():
            continue
        page = package.read(beside(roots[0], unquote(item.get("href", ""))))
        chapters.append(extract_page(page, None, reading.limits).text)
        length += len(chapters[-1])
        if length > limit:  # one chapter may be named many times
            raise UnreadableError("too_large", f"more than {limit} characters of text")
    return Extracted("\n\n".join(chapter for chapter in chapters if chapter), "utf-8")


FORMAT = Format("epub", ("epub",), whole(extract))
