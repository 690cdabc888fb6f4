"""SGML of the nineties (LinuxDoc, DebianDoc): its elements are HTML's, or fall away."""

from __future__ import annotations

import re

from corpus.decode import decode
from corpus.read.formats.html import text_of_page
from corpus.read.registry import Format
from corpus.read.source import Reading
from corpus.read.whole import Extracted, whole

# HTML's title is not text of the page and ends at its end tag, which SGML leaves out.
_TITLE = re.compile(r"<(/?)title\b", re.IGNORECASE)
_VERBATIM = re.compile(r"<(/?)(?:verb|code|tscreen|example)\b", re.IGNORECASE)
_ITEMS = re.compile(r"<(/?)(?:itemize|enum|list|enumlist)\b", re.IGNORECASE)
_ITEM = re.compile(r"<item>", re.IGNORECASE)


def extract(content: bytes, reading: Reading) -> Extracted:
    """The text as if it were a page."""
    decoded = decode(content)
    html = _TITLE.sub(r"<\1h1", decoded.text)
    html = _VERBATIM.sub(r"<\1pre", html)
    html = _ITEM.sub("<li>", _ITEMS.sub(r"<\1ul", html))
    return Extracted(text_of_page(html, reading.limits), decoded.encoding)


FORMAT = Format("sgml", ("sgml",), whole(extract))
