"""HTML pages: the text without the frame around it, ruby resolved to the base text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.html import HTMLTree

from corpus.batch import Batch
from corpus.decode import UndecodableError, decode
from corpus.read.source import Reading

_CHARSET = re.compile(rb"<meta[^>]{0,200}charset\s*=\s*[\"']?\s*([A-Za-z0-9_.:-]{2,40})", re.IGNORECASE)
_CHARSET_WITHIN = 4096

# What every page of a site repeats. Heuristics for a page's "main content" drop lists and short answers, which
# in-house pages consist of; what these selectors miss, the removal of repeated lines finds.
_FRAME = [
    "nav",
    "aside",
    "footer",
    "body > header",
    "[role=banner]",
    "[role=navigation]",
    "[role=contentinfo]",
    "[role=search]",
    ".breadcrumb",
    ".breadcrumbs",
    "#breadcrumb",
    ".sidebar",
    "#sidebar",
    "#footer",
    "#header",
]
# Readings in small type above the characters; the parentheses around them are for browsers without ruby.
_READINGS = "rt, rp, rtc"

# A list of which at least so much is link text is a menu; lists in prose have links in a few items at most.
_MENU_LINK_SHARE = 0.8


def read_html(reading: Reading) -> Iterator[Batch]:
    """One document per page, or none and an entry in the quarantine."""
    content = reading.whole_file()
    if content is None:
        return
    declared = _CHARSET.search(content[:_CHARSET_WITHIN])
    try:
        decoded = decode(content, declared[1].decode("ascii") if declared else None)
    except UndecodableError as error:
        reading.put_aside(0, error.reason, error.detail)
        return
    text = page_text(decoded.text)
    builder = reading.builder()
    builder.add(text, 0, decoded.encoding)
    batch = builder.take()
    assert batch is not None
    yield batch


def page_text(html: str) -> str:
    """The text a reader of the page reads.

    >>> page_text("<body><nav>ホーム</nav><p>ポンプの<ruby>揚程<rt>ようてい</rt></ruby>を測る。</p></body>")
    'ポンプの揚程を測る。'
    """
    tree = HTMLTree.parse(html)
    if tree.document is None:
        return ""
    # values(): going over the list itself takes time quadratic in its length.
    for reading in tree.document.query_selector_all(_READINGS).values():
        reading.decompose()
    for listing in tree.document.query_selector_all("ul, ol").values():
        if _is_menu(listing):
            listing.decompose()
    text: str = extract_plain_text(tree, skip_elements=_FRAME, comments=False)
    return text.strip()


def _is_menu(listing: Any) -> bool:
    characters = len("".join(listing.text.split()))
    linked = sum(len("".join(link.text.split())) for link in listing.query_selector_all("a").values())
    return characters > 0 and linked >= _MENU_LINK_SHARE * characters
